//! Tables of keys and of words. Decoders and JSON Schema are both driven by them, so that they cannot drift apart.

use serde_json::{Map, Value as Json, json};

use super::problem::{Problems, listed, nearest, quoted, suggest};
use super::shape;
use super::yaml::{Entry, Kind, Node, Value};

/// A key of a mapping.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) required: bool,
    /// How it is written, for whoever left it out.
    pub(super) example: &'static str,
    pub(super) schema: fn() -> Json,
}

/// The keys of a mapping.
#[derive(Clone, Copy)]
pub(super) struct Table {
    /// What the mapping is, as a message names it: `a machine`.
    pub(super) what: &'static str,
    pub(super) fields: &'static [Field],
}

/// A mapping whose keys are those of its table.
pub(super) struct Fields<'a> {
    table: &'static Table,
    found: Vec<&'a Entry>,
}

impl Table {
    /// Takes a node for a mapping of this kind. Unknown, double and missing keys become problems; what is known is read
    /// all the same.
    pub(super) fn open<'a>(&'static self, node: &'a Node, problems: &mut Problems) -> Option<Fields<'a>> {
        self.open_part(node, true, problems)
    }

    /// The same of a mapping of which there may be more elsewhere, if it is not the whole: no key is missing then.
    pub(super) fn open_part<'a>(
        &'static self,
        node: &'a Node,
        whole: bool,
        problems: &mut Problems,
    ) -> Option<Fields<'a>> {
        let Some(entries) = node.entries() else {
            let any = !self.fields.iter().any(|field| field.required);
            let examples = self.fields.iter().filter(|field| field.required || any).map(|field| field.example);
            let choice = if any { "one of " } else { "" };
            let shape = self.shape(node).and_then(|shape| shape::write(&shape));
            problems
                .error(&node.place, format!("{} is a mapping, not {}", self.what, node.describe()))
                .mend(shape.unwrap_or_else(|| format!("write {choice}{}", listed(examples))));
            return None;
        };
        let mut found: Vec<&Entry> = Vec::new();
        let mut strange = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            if let Some(first) = found.iter().find(|other| other.key == entry.key) {
                double_key(first, entry, problems);
            } else if self.has(&entry.key) {
                found.push(entry);
            } else {
                strange.push(at);
            }
        }
        let fields = Fields { table: self, found };
        let misspelt = |name| entries.iter().any(|entry| self.meant(&entry.key) == Some(name));
        let missing =
            |field: &&Field| whole && field.required && fields.get(field.name).is_none() && !misspelt(field.name);
        let missing: Vec<_> = self.fields.iter().filter(missing).collect();
        if let ([at], [field]) = (&strange[..], &missing[..])
            && !entries[*at].value.is_null()
            && self.meant(&entries[*at].key).is_none()
        {
            self.instead(&entries[*at], field, problems);
            return Some(fields);
        }
        for at in strange {
            self.unknown(entries, at, problems);
        }
        for field in missing {
            problems
                .error(&node.place, format!("{} needs `{}`", self.what, field.name))
                .label(format!("`{}` is missing", field.name))
                .mend(format!("add `{}`: {}", field.example, lower_first(field.doc)));
        }
        Some(fields)
    }

    /// Refuses a key that stands where one that has to be there is missing.
    fn instead(&self, entry: &Entry, field: &Field, problems: &mut Problems) {
        let written = shape::write(&format!("{}: {}", field.name, shape::flow(&entry.value)));
        let written = written.unwrap_or_else(|| format!("write `{}`", field.example));
        problems
            .error(
                &entry.place,
                format!("unknown key {} in {}, which needs `{}`", quoted(&entry.key), self.what, field.name),
            )
            .label(format!("`{}` is missing", field.name))
            .mend(format!("{written} instead: {}", lower_first(field.doc)));
    }

    fn unknown(&self, entries: &[Entry], at: usize, problems: &mut Problems) {
        let entry = &entries[at];
        let mend = match self.meant(&entry.key) {
            None => self.cut_off(entries, at),
            Some(_) => None,
        };
        problems
            .error(&entry.place, format!("unknown key {} in {}", quoted(&entry.key), self.what))
            .label("unknown key")
            .mend(mend.unwrap_or_else(|| suggest(&entry.key, self.names().collect::<Vec<_>>())));
    }

    /// A key without a value is what a comma without brackets makes of it: `ports: 2379, 2380`.
    fn cut_off(&self, entries: &[Entry], at: usize) -> Option<String> {
        let first = entries[..=at].iter().rposition(|entry| !entry.value.is_null())?;
        let owner = &entries[first];
        owner.value.scalar().filter(|_| first < at && self.has(&owner.key))?;
        let rest = entries[first + 1..].iter().take_while(|entry| entry.value.is_null() && !self.has(&entry.key));
        let parts: Vec<_> =
            [shape::flow(&owner.value)].into_iter().chain(rest.map(|entry| entry.key.clone())).collect();
        shape::write(&format!("{}: [{}]", owner.key, parts.join(", ")))
            .map(|write| format!("{write} if it belongs to `{}`", owner.key))
    }

    /// The key that an unknown one was probably meant to be.
    fn meant(&self, key: &str) -> Option<&'static str> {
        if self.has(key) { None } else { nearest(key, self.names()) }
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().map(|field| field.name)
    }

    /// The JSON Schema of the mapping.
    pub(super) fn schema(&self) -> Json {
        let properties: Map<_, _> = self.fields.iter().map(|field| (field.name.to_owned(), field.describe())).collect();
        let required: Vec<_> = self.fields.iter().filter(|f| f.required).map(|f| f.name).collect();
        let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        schema
    }

    /// The JSON Schema of the mapping when at least one of its keys has to be there.
    pub(super) fn schema_with_any(&self) -> Json {
        let mut schema = self.schema();
        schema["minProperties"] = json!(1);
        schema
    }

    /// The JSON Schema of the mapping when only a part of the keys need be there.
    pub(super) fn schema_requiring(&self, required: &[&str]) -> Json {
        let mut schema = self.schema();
        schema["required"] = json!(required);
        schema
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().collect::<String>() + chars.as_str()).unwrap_or_default()
}

impl Field {
    fn describe(&self) -> Json {
        let mut schema = (self.schema)();
        schema["description"] = json!(self.doc);
        schema
    }
}

pub(super) fn double_key(first: &Entry, entry: &Entry, problems: &mut Problems) {
    problems
        .error(&entry.place, format!("the key {} stands here a second time", quoted(&entry.key)))
        .label(format!("first in line {}", first.place.line()))
        .mend("remove one of the two");
}

impl<'a> Fields<'a> {
    /// The value of a key.
    ///
    /// # Panics
    /// If the key is not in the table.
    pub(super) fn get(&self, name: &'static str) -> Option<&'a Node> {
        assert!(self.table.names().any(|known| known == name), "`{name}` is not a key of {}", self.table.what);
        self.found.iter().find(|entry| entry.key == name).map(|entry| &entry.value)
    }

    /// The decoded value of a key that has to be there; that it is missing was said before.
    pub(super) fn read<T>(
        &self,
        name: &'static str,
        problems: &mut Problems,
        decode: impl FnOnce(&'a Node, &mut Problems) -> Option<T>,
    ) -> Option<T> {
        decode(self.get(name)?, problems)
    }

    /// The decoded value of a key that may be left out.
    pub(super) fn read_or<T>(
        &self,
        name: &'static str,
        default: T,
        problems: &mut Problems,
        decode: impl FnOnce(&'a Node, &mut Problems) -> Option<T>,
    ) -> Option<T> {
        match self.get(name) {
            Some(node) => decode(node, problems),
            None => Some(default),
        }
    }
}

/// Mappings of which each is told from the others by one key of its own.
pub(super) struct Choice {
    /// What the mapping is, as a message names it: `an expectation`.
    pub(super) what: &'static str,
    /// The telling key with the table that it stands in.
    pub(super) tables: Vec<(&'static str, Table)>,
}

impl Choice {
    /// Finds out which of the mappings a node is.
    pub(super) fn pick(&'static self, node: &Node, problems: &mut Problems) -> Option<(&'static str, &'static Table)> {
        let Some(entries) = node.entries() else {
            let shape = self.shape(node).and_then(|shape| shape::write(&shape));
            problems
                .error(&node.place, format!("{} is a mapping, not {}", self.what, node.describe()))
                .mend(shape.unwrap_or_else(|| format!("begin it with one of {}", listed(self.keys()))));
            return None;
        };
        let mut chosen: Vec<_> =
            self.tables.iter().filter(|(key, _)| entries.iter().any(|entry| entry.key == *key)).collect();
        // A key beside the telling one may tell another mapping when it stands alone.
        let found = chosen.clone();
        chosen
            .retain(|(key, _)| !found.iter().any(|(other, table)| other != key && table.names().any(|it| it == *key)));
        if let [_, second, ..] = chosen[..] {
            let place = entries.iter().find(|e| e.key == second.0).map_or(&node.place, |e| &e.place);
            problems
                .error(place, format!("{} is one thing, not {}", self.what, listed(chosen.iter().map(|c| c.0))))
                .mend(self.apart(entries, &chosen));
            return None;
        }
        let Some(choice) = chosen.pop() else {
            self.none_chosen(node, entries, problems);
            return None;
        };
        Some((choice.0, &choice.1))
    }

    /// Each of several mappings that were written as one.
    fn apart(&self, entries: &[Entry], chosen: &[&(&'static str, Table)]) -> String {
        let one = |(_, table): &&(&str, Table)| {
            let own = entries.iter().filter(|entry| table.has(&entry.key));
            if table.fields.len() == 1 { own.map(shape::entry).collect() } else { shape::mapping(own) }
        };
        let all: Vec<_> = chosen.iter().map(one).collect();
        let each = shape::write(&all.join("` and `"));
        each.map_or_else(|| "write each of them on its own".to_owned(), |each| format!("{each}, each on its own"))
    }

    fn none_chosen(&self, node: &Node, entries: &[Entry], problems: &mut Problems) {
        let meant = entries.iter().find_map(|entry| nearest(&entry.key, self.keys()).map(|near| (entry, near)));
        match (meant, entries.first()) {
            (Some((entry, near)), _) => {
                problems
                    .error(&entry.place, format!("unknown key {} in {}", quoted(&entry.key), self.what))
                    .label("unknown key")
                    .mend(format!("did you mean `{near}`?"));
            }
            (None, Some(entry)) => {
                problems
                    .error(&entry.place, format!("unknown key {} in {}", quoted(&entry.key), self.what))
                    .label("unknown key")
                    .mend(format!("one of these has to be there: {}", listed(self.keys())));
            }
            (None, None) => {
                problems
                    .error(&node.place, format!("{} is empty", self.what))
                    .mend(format!("one of these has to be there: {}", listed(self.keys())));
            }
        }
    }

    fn keys(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.tables.iter().map(|(key, _)| *key)
    }

    pub(super) fn schema(&self) -> Json {
        json!({ "oneOf": self.tables.iter().map(|(_, table)| table.schema()).collect::<Vec<_>>() })
    }
}

/// Words of which one is written.
pub(super) struct Words<T: 'static> {
    /// What the word is, as a message names it: `a role`.
    pub(super) what: &'static str,
    pub(super) words: &'static [(&'static str, T)],
}

impl<T: Copy> Words<T> {
    pub(super) fn decode(&self, node: &Node, problems: &mut Problems) -> Option<T> {
        let found = node.scalar().and_then(|scalar| self.words.iter().find(|(word, _)| *word == scalar.text));
        if let Some((_, value)) = found {
            return Some(*value);
        }
        let text = node.scalar().map_or("", |scalar| &scalar.text);
        let one = |item: &&Node| item.scalar().is_some_and(|it| self.words.iter().any(|(word, _)| *word == it.text));
        let mend = match &node.value {
            Value::List(items) if items.iter().any(|item| one(&item)) => {
                format!(
                    "write one of them alone: {}",
                    listed(items.iter().filter(one).filter_map(Node::scalar).map(|it| it.text.as_str()))
                )
            }
            _ if self.words.len() == 1 => {
                format!("only {} can stand here", listed(self.words.iter().map(|(word, _)| *word)))
            }
            _ => suggest(text, self.words.iter().map(|(word, _)| *word)),
        };
        problems
            .error(&node.place, format!("{} is not {}", node.describe(), self.what))
            .label(format!("not {}", self.what))
            .mend(mend);
        None
    }

    pub(super) fn schema(&self) -> Json {
        json!({ "enum": self.words.iter().map(|(word, _)| *word).collect::<Vec<_>>() })
    }
}

/// A text that is not empty.
pub(super) fn text<'a>(node: &'a Node, problems: &mut Problems) -> Option<&'a str> {
    match &node.value {
        Value::Scalar(scalar) if scalar.kind == Kind::Text && !scalar.text.trim().is_empty() => Some(&scalar.text),
        Value::Scalar(scalar) if scalar.kind != Kind::Null && scalar.kind != Kind::Text => {
            problems
                .error(&node.place, format!("expected a text, found {}", node.describe()))
                .mend(format!("put it in quotes: \"{}\"", scalar.text));
            None
        }
        Value::List(items) if items.len() == 1 => {
            let write = shape::write(&shape::flow(&items[0]));
            problems
                .error(&node.place, "expected a text, found a list")
                .mend(write.map_or("write one text".to_owned(), |write| format!("{write}, without a list")));
            None
        }
        _ => {
            problems
                .error(&node.place, format!("expected a text, found {}", node.describe()))
                .mend("write one text behind the key, or leave the key out");
            None
        }
    }
}

/// A whole number of a range.
pub(super) fn number(node: &Node, min: u32, max: u32, problems: &mut Problems) -> Option<u32> {
    let scalar = node.scalar().filter(|scalar| scalar.kind == Kind::Number);
    match scalar.and_then(|scalar| scalar.text.parse::<u32>().ok()).filter(|n| (min..=max).contains(n)) {
        Some(number) => Some(number),
        None => {
            let meant = node.scalar().and_then(|scalar| meant(&scalar.text, min, max));
            problems
                .error(&node.place, format!("expected a whole number from {min} to {max}, found {}", node.describe()))
                .mend(meant.map_or(format!("write one from {min} to {max}"), |meant| format!("write `{meant}` alone")));
            None
        }
    }
}

/// The whole number in a text: `"3"`, `3.0`, `8080/tcp`.
fn meant(text: &str, min: u32, max: u32) -> Option<u64> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().ok()?;
    let whole = text[digits..].strip_prefix('.').is_none_or(|rest| rest.chars().all(|c| c == '0'));
    (whole && (u64::from(min)..=u64::from(max)).contains(&number)).then_some(number)
}

/// The items of a list.
pub(super) fn list<'a>(node: &'a Node, what: &str, problems: &mut Problems) -> Option<&'a [Node]> {
    match &node.value {
        Value::List(items) => Some(items),
        Value::Map(entries) => {
            let items: Vec<_> = entries.iter().map(|entry| format!("- {}", shape::entry(entry))).collect();
            let write = shape::write(&items.join("`, `"));
            problems.error(&node.place, format!("{what} is a list, not a mapping")).mend(match write {
                Some(write) => format!("begin each item in a line of its own with a hyphen: {write}"),
                None => ITEMS.to_owned(),
            });
            None
        }
        Value::Scalar(_) => {
            problems.error(&node.place, format!("{what} is a list, not {}", node.describe())).mend(ITEMS);
            None
        }
    }
}

const ITEMS: &str = "begin each item in a line of its own with `- `";

pub(super) fn text_schema() -> Json {
    json!({ "type": "string", "minLength": 1 })
}
