//! One line of NDJSON: a record without the fields that say nothing.

use serde::Serialize;

/// The record as one line of JSON, without members that are `null` or empty objects: a door takes absent ones as `null`.
pub fn json_line(record: &impl Serialize) -> serde_json::Result<String> {
    let full = serde_json::to_string(record)?;
    let mut pruned = Pruned {
        input: full.as_bytes(),
        at: 0,
        output: Vec::with_capacity(full.len() / 2),
    };
    pruned.value();
    Ok(String::from_utf8(pruned.output).unwrap_or(full))
}

/// Copies compact JSON, which is known to be well formed, and leaves out what says nothing.
struct Pruned<'a> {
    input: &'a [u8],
    at: usize,
    output: Vec<u8>,
}

impl Pruned<'_> {
    fn peek(&self) -> u8 {
        self.input.get(self.at).copied().unwrap_or(b'}')
    }

    fn copy(&mut self, bytes: usize) {
        let end = (self.at + bytes).min(self.input.len());
        self.output.extend_from_slice(&self.input[self.at..end]);
        self.at = end;
    }

    fn value(&mut self) {
        match self.peek() {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self.string(),
            _ => self.scalar(),
        }
    }

    fn object(&mut self) {
        self.copy(1);
        let mut is_first = true;
        while self.at < self.input.len() && self.peek() != b'}' {
            self.at += usize::from(self.peek() == b',');
            let before = self.output.len();
            if !is_first {
                self.output.push(b',');
            }
            self.string();
            self.copy(1);
            let value = self.output.len();
            self.value();
            if matches!(&self.output[value..], b"null" | b"{}") {
                self.output.truncate(before);
            } else {
                is_first = false;
            }
        }
        self.copy(1);
    }

    fn array(&mut self) {
        self.copy(1);
        while self.at < self.input.len() && self.peek() != b']' {
            if self.peek() == b',' {
                self.copy(1);
            }
            self.value();
        }
        self.copy(1);
    }

    fn string(&mut self) {
        let rest = &self.input[self.at + 1..];
        let mut length = 1;
        let mut escaped = false;
        for byte in rest {
            length += 1;
            match byte {
                b'"' if !escaped => break,
                b'\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        self.copy(length);
    }

    fn scalar(&mut self) {
        let rest = &self.input[self.at..];
        let length = rest
            .iter()
            .position(|b| matches!(b, b',' | b'}' | b']'))
            .unwrap_or(rest.len());
        self.copy(length.max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_left_out_and_the_rest_stays_as_it_is() {
        let record = serde_json::json!({"a": null, "b": {"c": null, "d": {}}, "e": [1, {"f": null}, "x\"},{\\"], "g": 0.5, "h": false});
        assert_eq!(
            json_line(&record).expect("json"),
            r#"{"e":[1,{},"x\"},{\\"],"g":0.5,"h":false}"#
        );
    }
}
