//! The medians as bars, with a line from the least to the most of the runs. Plain SVG that follows
//! the reader's light or dark scheme.

use std::fmt::Write as _;

use crate::contender::Contender;
use crate::grid::counted;
use crate::load::Load;
use crate::report::{Middle, Report};

const WIDTH: f64 = 860.0;
const BAR: f64 = 16.0;
const ROW: f64 = 22.0;
const HEADING: f64 = 34.0;
/// Where bars begin and how long the longest is.
const LEFT: f64 = 250.0;
const LENGTH: f64 = 520.0;
const MARGIN: f64 = 16.0;

const STYLE: &str = "
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .load { font-weight: 600; }
  .count { font-size: 12px; }
  .creditd { fill: #0969da; }
  .other { fill: #9a6700; }
  .limit { fill: #8c959f; }
  .spread { stroke: #1f2328; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .creditd { fill: #4493f8; }
    .other { fill: #d29922; }
    .limit { fill: #7d8590; }
    .spread { stroke: #e6edf3; }
  }
";

struct Bar {
    load: Load,
    name: &'static str,
    class: &'static str,
    rate: Middle,
}

pub(crate) fn plot(report: &Report) -> String {
    let bars = bars(report);
    let most = bars.iter().map(|bar| bar.rate.most).fold(1.0, f64::max);
    let mut body = String::new();
    let mut y = MARGIN + BAR;
    line(&mut body, &format!(r#"<text x="{MARGIN}" y="{y}" class="load">Events a second</text>"#));
    let mut of = None;
    for bar in bars {
        if of != Some(bar.load) {
            y += HEADING;
            let name = bar.load.name();
            line(&mut body, &format!(r#"<text x="{MARGIN}" y="{y}" class="load">{name}</text>"#));
            of = Some(bar.load);
        }
        y += ROW;
        bar.draw(&mut body, y, LENGTH / most);
    }
    let height = y + MARGIN;
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-label="Events a second, by load and contender">
<style>{STYLE}</style>
{body}</svg>
"#
    )
}

/// The contenders, and with the limit of the database the bound. The limit of the broker is left out: it
/// is so far away that everything else would look alike.
fn bars(report: &Report) -> Vec<Bar> {
    let mut bars = Vec::new();
    for (load, who) in report.pairs() {
        let class = match who {
            Contender::Creditd | Contender::Two => "creditd",
            Contender::OneByOne | Contender::Faststream => "other",
            Contender::Write => "limit",
            Contender::Consume => continue,
        };
        let rate = report.rate(load, who);
        bars.extend(rate.map(|rate| Bar { load, name: who.name(), class, rate }));
        if let (Contender::Write, Some(bound)) = (who, report.bound(load)) {
            let rate = Middle { least: bound, median: bound, most: bound };
            bars.push(Bar { load, name: "bound of both servers", class: "limit", rate });
        }
    }
    bars
}

impl Bar {
    fn draw(&self, body: &mut String, y: f64, scale: f64) {
        let Self { name, class, rate, .. } = self;
        let top = y - BAR + 3.0;
        let middle = top + BAR / 2.0;
        let width = rate.median * scale;
        let (from, to) = (LEFT + rate.least * scale, LEFT + rate.most * scale);
        let count = counted(rate.median);
        let at = to + 6.0;
        line(body, &format!(r#"<text x="{MARGIN}" y="{y:.0}">{name}</text>"#));
        line(
            body,
            &format!(
                r#"<rect x="{LEFT}" y="{top:.1}" width="{width:.1}" height="{BAR}" rx="2" class="{class}"/>"#
            ),
        );
        line(
            body,
            &format!(
                r#"<line x1="{from:.1}" x2="{to:.1}" y1="{middle:.1}" y2="{middle:.1}" class="spread"/>"#
            ),
        );
        line(body, &format!(r#"<text x="{at:.1}" y="{y:.0}" class="count">{count}</text>"#));
    }
}

fn line(body: &mut String, text: &str) {
    // Writing to a text can't fail.
    let _ = writeln!(body, "{text}");
}
