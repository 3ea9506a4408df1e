//! docs/benchmarks.md: what stands between two marks is written anew, the rest is people's. And the
//! picture beside it.

use std::fs;
use std::path::Path;

use crate::Fallible;
use crate::plot::plot;
use crate::report::{Report, Section};

const PAGE: &str = "docs/benchmarks.md";
const PICTURE: &str = "docs/benchmarks.svg";
const FROM: &str = "<!-- written by make bench -->\n";
const TO: &str = "<!-- end of what make bench writes -->\n";

pub(crate) fn write(report: &Report) -> Fallible<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join(PAGE))?;
    let (before, rest) = page.split_once(FROM).ok_or("the page has lost its first mark")?;
    let (_, after) = rest.split_once(TO).ok_or("the page has lost its second mark")?;
    fs::write(root.join(PICTURE), plot(report))?;
    fs::write(root.join(PAGE), format!("{before}{FROM}{}{TO}{after}", measured(report)))?;
    eprintln!("written: {PAGE}, {PICTURE}");
    Ok(())
}

fn measured(report: &Report) -> String {
    let mut text =
        "\n![Events a second, by whom: the figures of the first table](benchmarks.svg)\n"
            .to_owned();
    for Section { title, grid, notes } in report.sections() {
        text.push_str(&format!("\n### {title}\n\n{}\n\n", grid.markdown()));
        for note in notes {
            text.push_str(&format!("{note}\n"));
        }
    }
    text.push_str("\n### Where it was measured\n\n");
    for line in report.conditions() {
        text.push_str(&format!("- {line}\n"));
    }
    text.push('\n');
    // No blank lines at a note's end that a reader would see twice.
    text.replace("\n\n\n", "\n\n")
}
