//! Where Kubernetes may come from, as it is written on a command line.

use std::str::FromStr;

use crate::artifact::Source;

/// A source on the command line.
#[derive(Debug, Clone)]
pub(crate) struct SourceArg(Source);

impl FromStr for SourceArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("folder", path)) if !path.is_empty() => Ok(Self(Source::Folder(path.into()))),
            Some(("mirror", url)) if url.starts_with("http://") || url.starts_with("https://") => {
                Ok(Self(Source::Mirror(url.to_owned())))
            }
            None if text == "cache" => Ok(Self(Source::Cache)),
            None if text == "debian" => Ok(Self(Source::Debian)),
            _ => Err("expected `folder:PATH`, `cache`, `mirror:URL` with an http or https URL, or `debian`".into()),
        }
    }
}

impl From<SourceArg> for Source {
    fn from(arg: SourceArg) -> Self {
        arg.0
    }
}
