//! Plain text tables.

/// Prints rows under a header, columns aligned; numbers (columns in `right`) to the right.
pub fn print(header: &[&str], rows: &[Vec<String>], right: &[usize]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.enumerate().map(|(column, cell)| {
            let space = " ".repeat(widths[column] - cell.chars().count());
            if right.contains(&column) { format!("{space}{cell}") } else { format!("{cell}{space}") }
        });
        println!("  {}", padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    line(&mut header.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
}
