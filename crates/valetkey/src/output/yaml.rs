use serde_json::Value;

/// JSON data as YAML 1.2. Texts that could be read as anything else are quoted as in JSON, which YAML includes.
pub(super) fn of(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out.trim_start_matches('\n').trim_start_matches(' ').to_owned() + "\n"
}

/// Writes what follows a `key:` or `-`: a scalar on the same line, anything longer indented below it.
fn write(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                out.push_str(&format!("\n{:indent$}{}:", "", scalar(key)));
                write(member, indent + 2, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let mut block = String::new();
                write(item, indent + 2, &mut block);
                // The first member of an object stands on the line of its dash.
                let first = block.strip_prefix(&format!("\n{:1$}", "", indent + 2)).map(|rest| format!(" {rest}"));
                out.push_str(&format!("\n{:indent$}-{}", "", first.unwrap_or(block)));
            }
        }
        Value::String(text) => out.push_str(&format!(" {}", scalar(text))),
        other => out.push_str(&format!(" {other}")),
    }
}

fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | '@' | '+');
    // Words and numbers that YAML readers, old ones too, take for something else.
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n"
    );
    if text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') && text.chars().all(plain) && !word {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nesting_and_quoting() {
        let value = json!({
            "a_list": [{"deep": {"m": 1}, "id": "a1", "none": null, "tags": ["x", "no"]}, "text: with colon", []],
            "empty": {},
            "more": "a\nb",
            "when": "2026-01-01T00:00:00Z",
        });
        let wanted = r#"
a_list:
  - deep:
      m: 1
    id: a1
    none: null
    tags:
      - x
      - "no"
  - "text: with colon"
  - []
empty: {}
more: "a\nb"
when: "2026-01-01T00:00:00Z"
"#;
        assert_eq!(of(&value), wanted.trim_start());
        assert_eq!(of(&json!([])), "[]\n");
        assert_eq!(of(&json!([{"a": 1}, {"a": 2}])), "- a: 1\n- a: 2\n");
        assert_eq!(of(&json!("x")), "x\n");
    }
}
