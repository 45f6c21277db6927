//! YAML text to a tree in which everything knows its place, whatever its shape. Meaning comes later.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Options, Spanned};

use super::problem::{Problems, quoted};
use super::source::{Place, Source};

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A scalar as it was written: `1.20` stays `1.20`, which as a number it would not.
#[derive(Debug, Clone)]
pub(super) struct Scalar {
    pub(super) kind: Kind,
    pub(super) text: String,
}

/// What YAML takes a scalar for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Number,
    Text,
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) value: Node,
}

impl Node {
    /// The value as a message names it.
    pub(super) fn describe(&self) -> String {
        match &self.value {
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
            Value::Scalar(scalar) => match scalar.kind {
                Kind::Null => "nothing".to_owned(),
                Kind::Bool => format!("the boolean {}", quoted(&scalar.text)),
                Kind::Number => format!("the number {}", quoted(&scalar.text)),
                Kind::Text => format!("the text {}", quoted(&scalar.text)),
            },
        }
    }

    /// The entries of a mapping.
    pub(super) fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of a key of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The scalar, unless it is another thing.
    pub(super) fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// Whether nothing stands there.
    pub(super) fn is_null(&self) -> bool {
        self.scalar().is_some_and(|scalar| scalar.kind == Kind::Null)
    }
}

/// Reads a document. Whatever the reason is that it is none, it is added to the problems.
pub(super) fn parse(source: &Arc<Source>, problems: &mut Problems) -> Option<Node> {
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(&source.text, options()) {
        Ok(raw) => {
            let node = Converter { source, problems }.node(raw)?;
            if node.is_null() {
                problems
                    .file_error(&source.path, "the file is empty")
                    .mend("see `quorate schema` for what belongs there");
                return None;
            }
            Some(node)
        }
        Err(error) => {
            refuse(source, &error, problems);
            None
        }
    }
}

/// Reads as much of all documents of a file as `T` has, with the parser's own limits. Empty ones are left out.
pub(super) fn documents<T: DeserializeOwned>(source: &Arc<Source>, problems: &mut Problems) -> Option<Vec<T>> {
    let options = serde_saphyr::options! { with_snippet: false };
    match serde_saphyr::from_multiple_with_options::<Option<T>>(&source.text, options) {
        Ok(documents) => Some(documents.into_iter().flatten().collect()),
        Err(error) => {
            refuse(source, &error, problems);
            None
        }
    }
}

/// Limits far above what a scenario needs and far below what hurts.
fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 32,
            max_nodes: 100_000,
            max_events: 200_000,
            max_aliases: 100,
            max_anchors: 100,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 10_000,
            max_replay_stack_depth: 8,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
    }
}

/// Says why a text is not a YAML document.
fn refuse(source: &Arc<Source>, error: &Error, problems: &mut Problems) {
    let mut error = error.without_snippet();
    let (start, end) = error.location().and_then(|location| bytes_of(location, source)).unwrap_or((0, 0));
    while let Error::AliasError { error: inner, .. } = error {
        error = inner.without_snippet();
    }
    let place = Place::new(source, start, end);
    if let Some(tab) = tab_in_indentation(source, place.line()) {
        problems
            .error(&tab, "tabs cannot indent YAML; use spaces")
            .label("a tab")
            .mend("replace each tab at the beginning of a line by spaces");
        return;
    }
    match error {
        Error::Eof { .. } => empty(source, problems),
        Error::MultipleDocuments { .. } | Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            several_documents(source, &place, problems);
        }
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => too_much(&place, TOO_DEEP, problems),
        Error::Budget { .. } => too_much(&place, "it has more parts than a scenario can need", problems),
        Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => too_much(&place, "its aliases expand to too much", problems),
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            too_much(&place, "an alias stands within what it stands for", problems);
        }
        _ => {
            let why = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
            let why = without_position(&why);
            if why.contains("recursion limit") {
                return too_much(&place, TOO_DEEP, problems);
            }
            problems
                .error(&place, format!("not valid YAML: {}", why.to_lowercase()))
                .label("here it stops being YAML")
                .mend("check indentation, quotes and brackets here and in the line before");
        }
    }
}

const TOO_DEEP: &str = "it is nested too deeply";

fn too_much(place: &Place, why: &str, problems: &mut Problems) {
    problems
        .error(place, format!("the YAML is refused: {why}"))
        .label("the limit is reached here")
        .mend("write out what aliases stand for, and nest less; a scenario is a page of plain YAML");
}

fn empty(source: &Source, problems: &mut Problems) {
    problems.file_error(&source.path, "the file is empty").mend("see `quorate schema` for what belongs there");
}

fn several_documents(source: &Arc<Source>, place: &Place, problems: &mut Problems) {
    let place = second_document(source).unwrap_or_else(|| place.clone());
    problems
        .error(&place, "the file holds more than one YAML document")
        .label("the second begins here")
        .mend("give each scenario and each topology a file of its own");
}

/// The parser's message names its own idea of the position; ours stands beside the text.
fn without_position(message: &str) -> &str {
    message.rfind(" at line ").or_else(|| message.rfind(" (line ")).map_or(message, |at| &message[..at])
}

/// The `---` that begins the second document.
fn second_document(source: &Arc<Source>) -> Option<Place> {
    let mut begun = false;
    let mut start = 0;
    for line in source.text.split_inclusive('\n') {
        let marker = line.starts_with("---") || line.starts_with("...");
        if marker && begun {
            return Some(Place::new(source, start, start + 3));
        }
        begun |= !line.trim().is_empty() && !line.starts_with(['#', '%']);
        start += line.len();
    }
    None
}

/// The first tab that indents a line up to the one after the given.
fn tab_in_indentation(source: &Arc<Source>, line: usize) -> Option<Place> {
    let mut start = 0;
    for text in source.text.split_inclusive('\n').take(line + 1) {
        let indentation = text.len() - text.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = text[..indentation].find('\t')
            && !text.trim().is_empty()
        {
            return Some(Place::new(source, start + tab, start + tab + 1));
        }
        start += text.len();
    }
    None
}

fn bytes_of(location: serde_saphyr::Location, source: &Source) -> Option<(usize, usize)> {
    if let Some(start) = location.span().byte_offset() {
        let start = usize::try_from(start).ok()?;
        let len = usize::try_from(location.span().byte_len().unwrap_or(0)).ok()?;
        return Some((start, start + len));
    }
    let line = usize::try_from(location.line()).ok()?.checked_sub(1)?;
    let column = usize::try_from(location.column()).ok()?.saturating_sub(1);
    let start: usize = source.text.split_inclusive('\n').take(line).map(str::len).sum();
    let text = &source.text[start..];
    let start = start + text.chars().take(column).map(char::len_utf8).sum::<usize>();
    Some((start, start))
}

/// What the deserializer hands over.
enum Raw {
    Plain(Kind),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Plain(Kind::Null))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Plain(Kind::Bool))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Plain(Kind::Number))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Plain(Kind::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Plain(Kind::Number))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Raw, E> {
        if text.len() > super::source::MAX_BYTES {
            return Err(E::custom("a text is too long"));
        }
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }

    fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<Raw, E> {
        Err(E::custom("binary values have no meaning here"))
    }
}

struct Converter<'a> {
    source: &'a Arc<Source>,
    problems: &'a mut Problems,
}

impl Converter<'_> {
    fn node(&mut self, raw: Spanned<Raw>) -> Option<Node> {
        let (start, end) = bytes_of(raw.defined, self.source).unwrap_or((0, 0));
        let mut place = Place::new(self.source, start, end);
        let value = match raw.value {
            Raw::Plain(kind) => Value::Scalar(Scalar { kind, text: place.text().trim().to_owned() }),
            Raw::Text(text) => Value::Scalar(Scalar { kind: Kind::Text, text }),
            Raw::List(items) => Value::List(items.into_iter().filter_map(|item| self.node(item)).collect()),
            Raw::Map(entries) => {
                let entries: Vec<_> = entries.into_iter().filter_map(|(key, value)| self.entry(key, value)).collect();
                if let Some(first) = entries.first() {
                    place = first.place.clone();
                }
                Value::Map(entries)
            }
        };
        Some(Node { place, value })
    }

    fn entry(&mut self, key: Spanned<Raw>, value: Spanned<Raw>) -> Option<Entry> {
        let key = self.node(key)?;
        let mut value = self.node(value)?;
        let Some(scalar) = key.scalar() else {
            self.problems
                .error(&key.place, format!("a key must be a text, not {}", key.describe()))
                .mend("write a word before the colon, and put a text in quotes that begins with a bracket or a brace");
            return None;
        };
        if value.is_null() {
            value.place = key.place.clone();
        }
        Some(Entry { key: scalar.text.clone(), place: key.place.clone(), value })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn tree(text: &str) -> Node {
        let source = Source::new(Path::new("x.yaml"), text);
        let mut problems = Problems::default();
        parse(&source, &mut problems).unwrap_or_else(|| panic!("{problems:?}"))
    }

    fn dump(node: &Node, out: &mut String) {
        use std::fmt::Write as _;
        write!(out, "{}:{} {:?} ", node.place.line(), node.place.column(), node.place.text()).unwrap();
        match &node.value {
            Value::Scalar(scalar) => writeln!(out, "{:?} {:?}", scalar.kind, scalar.text).unwrap(),
            Value::List(items) => {
                out.push_str("list\n");
                items.iter().for_each(|item| dump(item, out));
            }
            Value::Map(entries) => {
                out.push_str("map\n");
                for entry in entries {
                    write!(out, "{} {}:{} = ", entry.key, entry.place.line(), entry.place.column()).unwrap();
                    dump(&entry.value, out);
                }
            }
        }
    }

    #[test]
    fn everything_knows_its_place() {
        let text = "ä: 1.20\r\nlist:\r\n  - \"x y\"\r\n  - { k: true, e: }\r\nanchor: &a [1]\r\nalias: *a\r\n";
        let mut out = String::new();
        dump(&tree(text), &mut out);
        insta::assert_snapshot!(out);
    }
}
