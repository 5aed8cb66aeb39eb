//! The report as one HTML page that needs nothing else: no script, no font, no network.

use super::figure::Figure;
use super::sheet::escaped;

/// A section of the page.
pub enum Section {
    /// Figures side by side where there is room.
    Figures {
        /// Heading.
        title: String,
        /// The figures.
        figures: Vec<Figure>,
    },
    /// A table.
    Table {
        /// Heading.
        title: String,
        /// What is said about it.
        caption: String,
        /// Column names.
        header: Vec<String>,
        /// Cells, row by row.
        rows: Vec<Vec<String>>,
    },
    /// Text as it is, folded away under its title.
    Text {
        /// Heading.
        title: String,
        /// The text.
        text: String,
    },
}

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1f2430; --soft: #596273; --line: #e2e5ea; --page: #f6f7f9; --card: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ebf0; --soft: #a4adbb; --line: #2c313a; --page: #0d0f13; --card: #14171d; }
}
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--page); }
main { max-width: 1320px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 1.7rem; margin: 8px 0 4px; } h2 { font-size: 1.25rem; margin: 36px 0 12px; }
h3 { font-size: 1rem; margin: 0 0 8px; }
p.lead { color: var(--soft); margin: 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 18px; }
figure { margin: 0; padding: 16px; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
figure svg { display: block; width: 100%; height: auto; max-width: 760px; margin: 0 auto; }
figcaption { color: var(--soft); font-size: .9rem; margin-top: 8px; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 8px 14px; border-bottom: 1px solid var(--line); white-space: nowrap; }
tr:last-child td { border-bottom: 0; } th { color: var(--soft); font-weight: 600; }
details { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px 16px; margin: 10px 0; }
summary { cursor: pointer; font-weight: 600; } pre { overflow-x: auto; font-size: .85rem; }
@media (max-width: 600px) { main { padding: 14px 10px 40px; } figure { padding: 10px 4px; } figcaption { padding: 0 8px; } }
";

/// The page.
pub fn html(title: &str, lead: &str, sections: &[Section]) -> String {
    let (title, lead) = (escaped(title), escaped(lead));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{title}</h1>\n<p class=\"lead\">{lead}</p>\n"
    );
    for section in sections {
        page += &match section {
            Section::Figures { title, figures } => figures_html(title, figures),
            Section::Table { title, caption, header, rows } => table_html(title, caption, header, rows),
            Section::Text { title, text } => {
                format!("<details><summary>{}</summary><pre>{}</pre></details>\n", escaped(title), escaped(text))
            }
        };
    }
    page + "</main>\n</body>\n</html>\n"
}

fn figures_html(title: &str, figures: &[Figure]) -> String {
    let figure = |figure: &Figure| {
        let Figure { id, title, caption, series, svg } = figure;
        format!(
            "<figure id=\"{}\" data-series=\"{}\">\n<h3>{}</h3>\n{svg}<figcaption>{}</figcaption>\n</figure>\n",
            escaped(id),
            escaped(&series.join(";")),
            escaped(title),
            escaped(caption)
        )
    };
    let figures: String = figures.iter().map(figure).collect();
    format!("<h2>{}</h2>\n<div class=\"figures\">\n{figures}</div>\n", escaped(title))
}

fn table_html(title: &str, caption: &str, header: &[String], rows: &[Vec<String>]) -> String {
    let line = |tag: &str, cells: &[String]| {
        let cells: String = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let body: String = rows.iter().map(|row| line("td", row)).collect();
    format!(
        "<h2>{}</h2>\n<div class=\"scroll\"><table>\n<thead>{}</thead>\n<tbody>{body}</tbody>\n</table></div>\n\
         <p class=\"lead\">{}</p>\n",
        escaped(title),
        line("th", header),
        escaped(caption)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        let section = Section::Text { title: "<script>".into(), text: "a < b & c".into() };
        let page = html("t", "l", &[section]);
        assert!(!page.contains("<script>") && page.contains("a &lt; b &amp; c"));
    }
}
