//! What somebody has written, in the shape in which it belongs there, so that a remedy shows their own values. It only
//! makes suggestions: what they say is decided by the decoders alone.

use serde_json::Value as Json;

use super::table::{Choice, Field, Table};
use super::yaml::{Entry, Kind, Node, Scalar, Value};
use super::{duration, rate, share, size};

/// The longest remedy that still is one.
const LONGEST: usize = 200;

/// A value as it is written on one line.
pub(super) fn flow(node: &Node) -> String {
    match &node.value {
        Value::Scalar(scalar) => plain(scalar),
        Value::List(items) => format!("[{}]", joined(items.iter().map(flow))),
        Value::Map(entries) => mapping(entries.iter()),
    }
}

/// Entries as they are written on one line.
pub(super) fn mapping<'a>(entries: impl Iterator<Item = &'a Entry>) -> String {
    format!("{{ {} }}", joined(entries.map(entry)))
}

/// A key with its value.
pub(super) fn entry(entry: &Entry) -> String {
    format!("{}: {}", entry.key, flow(&entry.value)).trim_end().to_owned()
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// A text needs quotes where it would be something else without them.
fn plain(scalar: &Scalar) -> String {
    let text = scalar.text.as_str();
    let harmless = |c: char| c.is_ascii_alphanumeric() || "_./%-".contains(c);
    let known = text.parse::<f64>().is_ok() || ["true", "false", "null", "~"].contains(&text);
    let good = !text.is_empty() && text.split(' ').all(|word| !word.is_empty() && word.chars().all(harmless));
    match scalar.kind {
        Kind::Text if known || !good => Json::from(text).to_string(),
        _ => text.to_owned(),
    }
}

/// `write …`, unless that would be too long to be read.
pub(super) fn write(shape: &str) -> Option<String> {
    let odd = |c: char| c.escape_debug().count() > 1 && !"\"'\\".contains(c);
    let good = shape.chars().count() <= LONGEST && !shape.contains(odd);
    good.then(|| format!("write `{shape}`"))
}

impl Table {
    /// The mapping that somebody probably meant who wrote another thing in its place.
    pub(super) fn shape(&self, node: &Node) -> Option<String> {
        if let Some(entries) = loose(node) {
            let missing = |field: &&Field| field.required && !entries.iter().any(|entry| entry.key == field.name);
            let missing = self.fields.iter().filter(missing).map(|field| field.example.to_owned());
            let parts = joined(entries.iter().map(|it| self::entry(it)).chain(missing));
            return entries.iter().all(|entry| self.has(&entry.key)).then(|| format!("{{ {parts} }}"));
        }
        let target = || self.fields.iter().find(|field| field.name == "on" && names_machines(node));
        let field = self.fields.iter().find(|field| fits(&(field.schema)(), node)).or_else(target)?;
        let list = (field.schema)()["type"] == "array" && node.scalar().is_some();
        let value = flow(node);
        Some(self.filled(field, if list { format!("[{value}]") } else { value }.as_str()))
    }

    /// The mapping with a value of one key, and examples of the others that it needs.
    fn filled(&self, field: &Field, value: &str) -> String {
        let part = |it: &Field| match it.name == field.name {
            true => format!("{}: {value}", it.name),
            false => it.example.to_owned(),
        };
        let parts = self.fields.iter().filter(|it| it.required || it.name == field.name).map(part);
        format!("{{ {} }}", joined(parts))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.fields.iter().any(|field| field.name == key)
    }
}

impl Choice {
    /// The mapping that somebody probably meant who wrote another thing in its place: `kill master2`, `ready`.
    pub(super) fn shape(&self, node: &Node) -> Option<String> {
        if let Some(entries) = loose(node) {
            let fits = |table: &Table| entries.iter().all(|entry| table.has(&entry.key));
            return self.tables.iter().any(|(_, table)| fits(table)).then(|| mapping(entries.into_iter()));
        }
        let text = &node.scalar().filter(|scalar| scalar.kind == Kind::Text)?.text;
        let (key, rest) = text.split_once([' ', ':']).unwrap_or((text, ""));
        let telling = |(name, table): &&(&str, Table)| *name == key && table.has(key);
        let (table, field, value) = match self.tables.iter().find(telling) {
            Some((name, table)) => (table, table.fields.iter().find(|field| field.name == *name)?, rest.trim()),
            None => {
                let found = |field: &&Field| fits(&(field.schema)(), node);
                let (_, table) = self.tables.iter().find(|(_, table)| table.fields.iter().any(|it| found(&it)))?;
                (table, table.fields.iter().find(found)?, text.as_str())
            }
        };
        let example = || field.example.strip_prefix(field.name)?.strip_prefix(": ");
        let value = if value.is_empty() { example()? } else { value };
        let whole = table.filled(field, value);
        let bare = || whole.strip_prefix("{ ")?.strip_suffix(" }").map(str::to_owned);
        if table.fields.len() == 1 { bare() } else { Some(whole) }
    }
}

/// The entries of a mapping that was written as a list, with a hyphen before each.
fn loose(node: &Node) -> Option<Vec<&Entry>> {
    let Value::List(items) = &node.value else { return None };
    let maps: Option<Vec<_>> = items.iter().map(Node::entries).collect();
    let entries: Vec<_> = maps?.into_iter().flatten().collect();
    let twice = |(at, entry): (usize, &&Entry)| entries[..at].iter().any(|other| other.key == entry.key);
    (!entries.is_empty() && !entries.iter().enumerate().any(twice)).then_some(entries)
}

/// Whether it could be a target, by its shape alone.
fn names_machines(node: &Node) -> bool {
    let text = |node: &Node| node.scalar().is_some_and(|scalar| scalar.kind == Kind::Text && !scalar.text.is_empty());
    match &node.value {
        Value::List(items) => !items.is_empty() && items.iter().all(text),
        _ => text(node),
    }
}

/// Whether a value is what a schema means, as far as schemas of scalars tell.
fn fits(schema: &Json, node: &Node) -> bool {
    if let Value::List(items) = &node.value {
        return schema["type"] == "array" && !items.is_empty() && items.iter().all(|item| fits(&schema["items"], item));
    }
    let Some(scalar) = node.scalar().filter(|scalar| scalar.kind != Kind::Null) else { return false };
    let text = scalar.text.as_str();
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().any(|word| word == text);
    }
    if schema["const"] == Json::Bool(true) {
        return scalar.kind == Kind::Bool && text == "true";
    }
    if schema["type"] == "array" {
        return schema["items"]["type"] == "integer" && fits(&schema["items"], node);
    }
    if schema["type"].is_array() {
        return text.starts_with(|c: char| c.is_ascii_digit());
    }
    if schema["type"] == "integer" {
        let within =
            |n: &u64| schema["minimum"].as_u64() <= Some(*n) && schema["maximum"].as_u64().is_none_or(|max| *n <= max);
        return text.parse().ok().as_ref().is_some_and(within);
    }
    /// A kind of text by its schema, and whether a text is one.
    type Reader = (fn() -> Json, fn(&str) -> bool);
    let readers: [Reader; 5] = [
        (duration::schema, duration::reads),
        (size::schema, size::reads),
        (rate::schema, rate::reads),
        (rate::share_schema, rate::reads_share),
        (share::schema, share::reads),
    ];
    readers.into_iter().any(|(known, reads)| *schema == known() && reads(text))
}
