//! Changing an assistant: the API takes the whole of it, so what is not named is sent as it was.

use std::collections::BTreeMap;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use valetkey_model::{AssistantId, AssistantName, Problem, ProblemCode, ProviderKind};
use valetkey_sessions::{NewAgent, NewAssistant, NewSlot};

use super::{
    assistants::{save, text_of},
    typed, with_client,
};
use crate::{cli::AssistantChangeArgs, context::Context, output, settings::words};

#[derive(Debug, Deserialize)]
struct Known {
    id: AssistantId,
    name: AssistantName,
    description: String,
    instructions: String,
    agent: Option<NewAgent>,
    tools: BTreeMap<ProviderKind, Value>,
}

/// Changes what was named of the assistant at `path`, one of `all`.
pub(super) async fn edit(
    context: &Context,
    all: &str,
    path: &str,
    mut change: AssistantChangeArgs,
    accept_missing: bool,
) -> Result<(), Problem> {
    if let Some(file) = change.instructions_file.take() {
        change.instructions = Some(text_of(&file)?);
    }
    let record: Value = with_client(context, async |client| client.get(path).await).await?;
    let known: Known = typed(&record)?;
    let path = format!("{all}/{}", known.id);
    let before = as_it_is(known)?;
    let after = NewAssistant { accept_missing, ..changed(before.clone(), change)? };
    let changes = differences(&before, &after);
    if changes.is_empty() {
        return output::print(context.format, &record, || "Nothing was changed: it is like that already.".to_owned());
    }
    let saved = save(context, Method::PUT, &path, json!(after)).await?;
    output::print(context.format, &saved, || format!("Changed.\n\n{}", changes.join("\n")))
}

fn as_it_is(known: Known) -> Result<NewAssistant, Problem> {
    let Known { name, description, instructions, agent, tools, .. } = known;
    // A slot is shown with what it comes to; only what it is goes back.
    let slot = |(provider, mut shown): (ProviderKind, Value)| {
        if let Value::Object(members) = &mut shown {
            members.retain(|member, _| ["slot", "integration"].contains(&member.as_str()));
        }
        Ok((provider, typed(&shown)?))
    };
    let tools = tools.into_iter().map(slot).collect::<Result<_, Problem>>()?;
    Ok(NewAssistant { name, description, instructions, agent, tools, accept_missing: false })
}

/// The assistant with what was typed in its place.
fn changed(before: NewAssistant, change: AssistantChangeArgs) -> Result<NewAssistant, Problem> {
    let AssistantChangeArgs { name, description, instructions, agent, no_agent, tools, removed, any_tools, .. } =
        change;
    let agent = match agent {
        Some(command) => Some(NewAgent { command: words(&command).ok_or_else(bad_agent)? }),
        None => before.agent.filter(|_| !no_agent),
    };
    let had_tools = !before.tools.is_empty();
    let mut slots = if any_tools { BTreeMap::new() } else { before.tools };
    slots.retain(|provider, _| !removed.contains(provider));
    slots.extend(tools);
    if had_tools && slots.is_empty() && !any_tools {
        return Err(wide_open());
    }
    let trimmed = |text: String| text.trim().to_owned();
    Ok(NewAssistant {
        name: name.unwrap_or(before.name),
        description: description.map_or(before.description, trimmed),
        instructions: instructions.map_or(before.instructions, trimmed),
        agent,
        tools: slots,
        accept_missing: false,
    })
}

fn bad_agent() -> Problem {
    let bad = "--agent must be a program and its arguments, quoted as in a shell.";
    Problem::new(ProblemCode::InvalidInput, bad)
}

/// Taking the last tool away would give it all of them.
fn wide_open() -> Problem {
    let detail = "Without any tool listed, the assistant may use whatever is connected.";
    Problem::new(ProblemCode::InvalidInput, detail)
        .remedy("Say --any-tools if you mean that, or leave one with --tool PROVIDER=none.")
}

/// What differs, a line or more for each.
fn differences(before: &NewAssistant, after: &NewAssistant) -> Vec<String> {
    let agent = |of: &NewAssistant| {
        of.agent.as_ref().map_or_else(|| "the usual one".to_owned(), |agent| shell_words::join(&agent.command))
    };
    let mut lines = Vec::new();
    for (what, old, new) in [
        ("name", before.name.to_string(), after.name.to_string()),
        ("description", before.description.clone(), after.description.clone()),
        ("agent", agent(before), agent(after)),
    ] {
        if old != new {
            lines.push(output::one_line(&format!("{what}: {} → {}", or_none(&old), or_none(&new))));
        }
    }
    if before.instructions != after.instructions {
        lines.push(format!("instructions:\n{}", changed_lines(&before.instructions, &after.instructions)));
    }
    for provider in ProviderKind::ALL {
        let (old, new) = (before.tools.get(&provider), after.tools.get(&provider));
        if old != new {
            lines.push(output::one_line(&format!("tool {}: {} → {}", provider.slug(), slot_word(old), slot_word(new))));
        }
    }
    lines
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn slot_word(slot: Option<&NewSlot>) -> String {
    match slot {
        Some(NewSlot::Automatic) => "automatic".to_owned(),
        Some(NewSlot::Pinned { integration }) => format!("pinned to {integration}"),
        Some(NewSlot::None) => "none".to_owned(),
        None => "not listed".to_owned(),
    }
}

/// The lines between what begins and what ends both texts alike.
fn changed_lines(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[head..], &new[head..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    let marked = |mark, lines: &[&str]| -> Vec<String> {
        lines.iter().map(|line| format!("  {mark} {}", output::one_line(line))).collect()
    };
    [marked('-', old), marked('+', new)].concat().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_that_differ_are_shown() {
        for (before, after, shown) in [
            ("a\nb\nc", "a\nB\nc", "  - b\n  + B"),
            ("a\nc", "a\nb\nc", "  + b"),
            ("a\na\na", "a\na", "  - a"),
            ("", "new\u{1b}[2J", "  + new\u{fffd}[2J"),
            ("old", "", "  - old"),
        ] {
            assert_eq!(changed_lines(before, after), shown, "{before:?} {after:?}");
        }
    }
}
