//! A table, for terminals and for pages.

use comfy_table::{CellAlignment, Table, presets};

pub(crate) struct Grid {
    head: Vec<&'static str>,
    /// How many columns at the left are words.
    words: usize,
    rows: Vec<Vec<String>>,
}

impl Grid {
    pub(crate) fn new(words: usize, head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), words, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn text(&self) -> String {
        self.table(presets::UTF8_HORIZONTAL_ONLY)
    }

    pub(crate) fn markdown(&self) -> String {
        self.table(presets::ASCII_MARKDOWN)
    }

    fn table(&self, preset: &str) -> String {
        let mut table = Table::new();
        table.load_preset(preset).set_header(&self.head).add_rows(&self.rows);
        for column in table.column_iter_mut().skip(self.words) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let lines = table.to_string();
        lines.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }
}

/// `12,345` for people.
pub(crate) fn counted(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Empty where there is nothing to say.
pub(crate) fn shown(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(String::new, |value| format!("{value:.decimals$}"))
}
