//! Pictures in a terminal: two pixels a character, one above the other.

use std::fmt::Write as _;

use super::picture::Picture;
use crate::terminal::Colours;

/// The picture as lines of text, made smaller where it exceeds so many columns and lines.
pub fn lines(picture: &Picture, columns: usize, lines: usize, colours: Colours) -> String {
    let small = fitted(picture, columns, 2 * lines);
    let (width, height) = (usize::from(small.width), usize::from(small.height));
    let pixel = |x: usize, y: usize| {
        let at = 3 * (y * width + x);
        [small.rgb[at], small.rgb[at + 1], small.rgb[at + 2]]
    };
    let mut text = String::new();
    for y in (0..height).step_by(2) {
        let mut last = None;
        for x in 0..width {
            let (upper, lower) = (pixel(x, y), (y + 1 < height).then(|| pixel(x, y + 1)));
            if last != Some((upper, lower)) {
                let below = lower.map_or_else(|| "\x1b[49m".to_string(), |lower| colours.background(lower));
                // Here and below: writing to a string cannot fail.
                let _ = write!(text, "{}{below}", colours.foreground(upper));
                last = Some((upper, lower));
            }
            text.push('▀');
        }
        text += "\x1b[0m\n";
    }
    text
}

/// The picture, each pixel the mean of those that it stands for, if it does not fit as it is.
fn fitted(picture: &Picture, columns: usize, rows: usize) -> Picture {
    let (width, height) = (usize::from(picture.width), usize::from(picture.height));
    let share = |room: usize, size: usize| room as f64 / size.max(1) as f64;
    let factor = share(columns, width).min(share(rows, height)).min(1.0);
    let scaled = |size: usize| ((size as f64 * factor) as usize).max(1);
    let (new_width, new_height) = (scaled(width), scaled(height));
    let part = |i: usize, of: usize, all: usize| i * all / of..((i + 1) * all / of).max(i * all / of + 1);
    let mut rgb = Vec::with_capacity(new_width * new_height * 3);
    for y in 0..new_height {
        for x in 0..new_width {
            let (mut sums, mut count) = ([0u32; 3], 0);
            for row in part(y, new_height, height) {
                for column in part(x, new_width, width) {
                    let at = 3 * (row * width + column);
                    sums.iter_mut().zip(&picture.rgb[at..at + 3]).for_each(|(sum, &c)| *sum += u32::from(c));
                    count += 1;
                }
            }
            rgb.extend(sums.map(|sum| (sum / count) as u8));
        }
    }
    Picture { width: new_width as u16, height: new_height as u16, rgb }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u16, height: u16) -> Picture {
        let pixels = (0..usize::from(width) * usize::from(height)).flat_map(|i| [i as u8, 0, 255]);
        Picture { width, height, rgb: pixels.collect() }
    }

    #[test]
    fn two_pixels_are_a_character() {
        let text = lines(&picture(2, 3), 80, 24, Colours::Full);
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0], "\x1b[38;2;0;0;255m\x1b[48;2;2;0;255m▀\x1b[38;2;1;0;255m\x1b[48;2;3;0;255m▀\x1b[0m");
        assert!(rows[1].contains("\x1b[49m"), "nothing below the last row: {:?}", rows[1]);
        let few = lines(&picture(2, 2), 80, 24, Colours::Few);
        assert!(few.contains("\x1b[38;5;21m") && !few.contains(";2;"), "{few:?}");
    }

    #[test]
    fn a_screen_was_wider_than_its_terminal() {
        for (columns, rows) in [(80, 24), (40, 10), (200, 8)] {
            let text = lines(&picture(160, 210), columns, rows, Colours::Full);
            let widths: Vec<usize> = text.lines().map(|line| line.matches('▀').count()).collect();
            assert!(widths.len() <= rows && widths.iter().all(|&width| 0 < width && width <= columns), "{widths:?}");
        }
    }
}
