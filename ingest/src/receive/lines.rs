//! A body's lines: one object, an array of objects, or one object a line. Each keeps the bytes it was sent with.

use crate::receive::json::without_mark;

/// How a body is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lines {
    /// One value a line.
    Newline,
    /// One object, or an array of them; also one value a line, since many send that as JSON.
    Json,
}

/// The values with their position: the line, or the place in the array, counted from 1. None if there are more than so many.
pub(crate) fn split(body: &[u8], lines: Lines, most: usize) -> Option<Vec<(i64, &[u8])>> {
    let body = without_mark(body);
    let whole = body.trim_ascii();
    let values = match lines {
        Lines::Newline => by_line(body, most),
        Lines::Json if whole.is_empty() => Vec::new(),
        Lines::Json if whole.starts_with(b"[") => elements(whole, most).unwrap_or_else(|| vec![(1, whole)]),
        Lines::Json if is_line_by_line(whole) => by_line(body, most),
        Lines::Json => vec![(1, whole)],
    };
    (values.len() <= most).then_some(values)
}

/// At most one more than so many: who has them knows that there are too many.
fn by_line(body: &[u8], most: usize) -> Vec<(i64, &[u8])> {
    let lines = (1..)
        .zip(body.split(|byte| *byte == b'\n'))
        .map(|(n, line)| (n, line.trim_ascii()));
    lines.filter(|(_, line)| !line.is_empty()).take(most + 1).collect()
}

/// Does the first line hold a whole value, with more after it?
fn is_line_by_line(whole: &[u8]) -> bool {
    let Some(end) = whole.iter().position(|byte| *byte == b'\n') else {
        return false;
    };
    let mut nesting = Nesting::default();
    let first = whole[..end].trim_ascii();
    first.iter().for_each(|byte| nesting.step(*byte));
    first.starts_with(b"{") && nesting.depth == 0 && !nesting.in_string
}

/// The elements of an array, at most one more than so many; `None` if its brackets do not fit.
pub(crate) fn elements(array: &[u8], most: usize) -> Option<Vec<(i64, &[u8])>> {
    let inner = array.strip_prefix(b"[")?.strip_suffix(b"]")?;
    let mut elements = Vec::new();
    let (mut nesting, mut start) = (Nesting::default(), 0);
    for (i, byte) in inner.iter().enumerate() {
        nesting.step(*byte);
        if nesting.depth < 0 {
            return None;
        }
        if *byte == b',' && nesting.depth == 0 && !nesting.in_string {
            elements.push(&inner[start..i]);
            start = i + 1;
            if elements.len() > most {
                break;
            }
        }
    }
    let rest = &inner[start..];
    if nesting.depth != 0 || nesting.in_string {
        return None;
    }
    if !(elements.is_empty() && rest.trim_ascii().is_empty()) {
        elements.push(rest);
    }
    Some((1..).zip(elements.into_iter().map(<[u8]>::trim_ascii)).collect())
}

#[derive(Default)]
struct Nesting {
    depth: i64,
    in_string: bool,
    escaped: bool,
}

impl Nesting {
    fn step(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_string => self.escaped = true,
            b'"' => self.in_string = !self.in_string,
            b'{' | b'[' if !self.in_string => self.depth += 1,
            b'}' | b']' if !self.in_string => self.depth -= 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(body: &str, lines: Lines) -> Vec<(i64, &str)> {
        split(body.as_bytes(), lines, 4)
            .expect("four at most")
            .into_iter()
            .map(|(n, v)| (n, std::str::from_utf8(v).expect("UTF-8")))
            .collect()
    }

    #[test]
    fn lines_keep_their_number_past_empty_ones() {
        assert_eq!(
            texts("{}\r\n\r\n{\"a\":1}\n", Lines::Newline),
            [(1, "{}"), (3, "{\"a\":1}")]
        );
        assert_eq!(texts("\u{feff}{}\n{}", Lines::Json), [(1, "{}"), (2, "{}")]);
    }

    #[test]
    fn an_object_over_many_lines_is_one() {
        assert_eq!(texts("{\n \"a\": 1\n}\n", Lines::Json), [(1, "{\n \"a\": 1\n}")]);
    }

    #[test]
    fn an_arrays_elements_are_told_apart_even_with_brackets_in_strings() {
        assert_eq!(
            texts("[{\"a\":\"],\\\"\"}, {} ,[1,2]]", Lines::Json),
            [(1, "{\"a\":\"],\\\"\"}"), (2, "{}"), (3, "[1,2]")]
        );
        assert_eq!(texts("[ ]", Lines::Json), []);
        assert_eq!(
            texts("[{},]", Lines::Json),
            [(1, "{}"), (2, "")],
            "nothing is swallowed"
        );
        assert_eq!(texts("[{}", Lines::Json), [(1, "[{}")]);
        assert_eq!(texts("[}{]", Lines::Json), [(1, "[}{]")]);
    }
    #[test]
    fn more_than_may_be_are_not_divided_to_the_end() {
        let split = |body: &str, lines, most| split(body.as_bytes(), lines, most).map(|values| values.len());
        assert_eq!(split("1\n2\n\n3\n", Lines::Newline, 3), Some(3));
        assert_eq!(split("1\n2\n\n3\n4", Lines::Newline, 3), None);
        assert_eq!(split("[1,2,3]", Lines::Json, 3), Some(3));
        assert_eq!(split("[1,2,3,4,5]", Lines::Json, 3), None);
        assert_eq!(
            elements(b"[1,2,3,4,5,6,7,8]", 3).map(|found| found.len()),
            Some(5),
            "four, and the rest as it is"
        );
    }
}
