//! The three places a value can be written, each as a source of the `config` crate: the file, the
//! environment, flags. The crate merges them, later ones win; where each value was written is
//! remembered beside it, because the crate's errors carry no line.
//!
//! Must not know which settings exist.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use config::{Config, ConfigError, Map, Source, Value, ValueKind};
use toml::de::{DeTable, DeValue};

use crate::mistake::{Mistake, Origin, line_at};

pub(super) const PREFIX: &str = "CREDITD__";
/// How a variable begins whose writer may have forgotten an underscore.
const NEARLY_PREFIX: &str = "CREDITD_";
pub(super) const SEPARATOR: &str = "__";

/// Everything is merged below one key, since the crate reads a path language in top-level keys:
/// `"broker[9999999]" = 1` would make a list of that length.
const ROOT: &str = "creditd";

/// All values of the three places, the winner of each key, and where it was written.
pub(super) struct Merged {
    pub(super) root: Map<String, Value>,
    pub(super) origins: Origins,
    pub(super) mistakes: Vec<Mistake>,
    /// Variables that may have been meant as settings.
    pub(super) strays: Vec<String>,
}

/// Where each key was written, by its dotted path; sections of the file too.
pub(super) type Origins = BTreeMap<String, Origin>;

#[derive(Clone)]
struct Layer(Map<String, Value>);

impl Merged {
    pub(super) fn new(
        file: &Path,
        text: &str,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        flags: &[(String, String)],
    ) -> Self {
        let mut origins = Origins::new();
        let mut mistakes = Vec::new();
        let mut strays = Vec::new();
        let layers = [
            FileReader { file, text, origins: &mut origins, mistakes: &mut mistakes }.layer(),
            environment_layer(environment, &mut origins, &mut mistakes, &mut strays),
            flag_layer(flags, &mut origins),
        ];
        let root = merge(layers).unwrap_or_else(|error| {
            let problem = format!("can't be merged: {error}");
            mistakes.push(Mistake::in_file(file, None, "", problem, "report this as a bug"));
            Map::new()
        });
        Self { root, origins, mistakes, strays }
    }
}

/// The dotted path of a key, with quotes where TOML needs them.
pub(super) fn dotted(path: &[&str]) -> String {
    let bare = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    };
    path.iter()
        .map(|part| if bare(part) { (*part).to_owned() } else { format!("{part:?}") })
        .collect::<Vec<_>>()
        .join(".")
}

fn merge(layers: [Layer; 3]) -> Result<Map<String, Value>, ConfigError> {
    let mut builder = Config::builder();
    for layer in layers {
        builder = builder.add_source(layer);
    }
    builder.build()?.get_table(ROOT)
}

struct FileReader<'a> {
    file: &'a Path,
    text: &'a str,
    origins: &'a mut Origins,
    mistakes: &'a mut Vec<Mistake>,
}

impl FileReader<'_> {
    fn layer(mut self) -> Layer {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        let mut told = None;
        for error in errors {
            let line = self.line(error.span().unwrap_or_default());
            // One error a line: the rest of a line that went wrong is noise.
            if told.replace(line) != Some(line) {
                self.syntax(line, error.message());
            }
        }
        Layer(self.table(&[], table.into_inner()))
    }

    /// Takes only the message: printed whole, the error quotes the line, which may hold a secret.
    fn syntax(&mut self, line: usize, message: &str) {
        let (problem, remedy) = match message {
            "duplicate key" => ("is written twice".to_owned(), "keep one of the two"),
            message => (
                format!("is not TOML: {message}"),
                "write `key = value`, with text in quotes and a # before comments",
            ),
        };
        self.mistakes.push(Mistake::in_file(self.file, Some(line), "", problem, remedy));
    }

    fn table(&mut self, path: &[&str], table: DeTable<'_>) -> Map<String, Value> {
        let mut values = Map::new();
        for (key, value) in table {
            let line = self.line(key.span());
            let key = key.into_inner();
            let path = [path, &[key.as_ref()]].concat();
            let origin = Origin::File { file: self.file.to_owned(), line: Some(line) };
            self.origins.insert(dotted(&path), origin);
            if let Some(value) = self.value(&path, value.into_inner()) {
                values.insert(key.clone().into_owned(), value);
            }
        }
        values
    }

    fn value(&mut self, path: &[&str], value: DeValue<'_>) -> Option<Value> {
        let kind = match value {
            DeValue::String(text) => ValueKind::String(text.into_owned()),
            DeValue::Boolean(switch) => ValueKind::Boolean(switch),
            DeValue::Integer(number) => {
                match i128::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => ValueKind::I128(number),
                    Err(_) => return self.refuse(path, "is too large a number"),
                }
            }
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => ValueKind::Float(number),
                Err(_) => return self.refuse(path, "is not a number"),
            },
            DeValue::Datetime(_) => return self.refuse(path, "is a date, and no setting is one"),
            DeValue::Array(items) => ValueKind::Array(
                items.into_iter().filter_map(|item| self.value(path, item.into_inner())).collect(),
            ),
            DeValue::Table(table) => ValueKind::Table(self.table(path, table)),
        };
        Some(Value::new(None, kind))
    }

    fn refuse(&mut self, path: &[&str], problem: &str) -> Option<Value> {
        let key = dotted(path);
        if let Some(origin) = self.origins.get(&key).cloned() {
            let remedy = "see the comment on this key in the example configuration";
            self.mistakes.push(Mistake::new(origin, key, problem, remedy));
        }
        None
    }

    fn line(&self, span: Range<usize>) -> usize {
        line_at(self.text, span.start)
    }
}

fn environment_layer(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    origins: &mut Origins,
    mistakes: &mut Vec<Mistake>,
    strays: &mut Vec<String>,
) -> Layer {
    let mut layer = Layer(Map::new());
    for (variable, value) in environment {
        let Some(variable) = variable.to_str() else { continue };
        let Some(key) = variable.strip_prefix(PREFIX) else {
            strays.extend(variable.strip_prefix(NEARLY_PREFIX).map(str::to_owned));
            continue;
        };
        let key = key.to_lowercase();
        let path: Vec<_> = key.split(SEPARATOR).collect();
        let origin = Origin::Variable { variable: variable.to_owned() };
        match value.into_string() {
            Ok(value) => {
                layer.insert(&path, value);
                origins.insert(dotted(&path), origin);
            }
            Err(_) => mistakes.push(Mistake::new(
                origin,
                dotted(&path),
                "is not text in UTF-8",
                "write it in UTF-8",
            )),
        }
    }
    layer
}

/// A flag's key is the section, a dot and the key; what stands between the first dot and the last
/// names a source, which may hold dots itself.
fn flag_layer(flags: &[(String, String)], origins: &mut Origins) -> Layer {
    let mut layer = Layer(Map::new());
    for (key, value) in flags {
        let path = match key.split_once('.') {
            None => vec![key.as_str()],
            Some((section, rest)) => match rest.rsplit_once('.') {
                None => vec![section, rest],
                Some((name, last)) => vec![section, name, last],
            },
        };
        layer.insert(&path, value.clone());
        origins.insert(dotted(&path), Origin::Flag { flag: key.clone() });
    }
    layer
}

impl Layer {
    fn insert(&mut self, path: &[&str], text: String) {
        let Some((last, sections)) = path.split_last() else { return };
        let mut table = &mut self.0;
        for section in sections {
            let entry = table
                .entry((*section).to_owned())
                .or_insert_with(|| Value::new(None, ValueKind::Table(Map::new())));
            if !matches!(entry.kind, ValueKind::Table(_)) {
                *entry = Value::new(None, ValueKind::Table(Map::new()));
            }
            let ValueKind::Table(inner) = &mut entry.kind else { return };
            table = inner;
        }
        table.insert((*last).to_owned(), Value::new(None, ValueKind::String(text)));
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let root = Value::new(None, ValueKind::Table(self.0.clone()));
        Ok(Map::from_iter([(ROOT.to_owned(), root)]))
    }
}

impl fmt::Debug for Layer {
    /// Without the values: some are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Layer")
    }
}
