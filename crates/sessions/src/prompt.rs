use std::borrow::Cow;

const TASK: &str = "{task}";
const INSTRUCTIONS: &str = "{instructions}";

/// What `{task}` and `{instructions}` stand for in an agent's command.
///
/// `{task}` is the task. With an assistant it is the assistant's instructions, an empty line, and the task, unless the
/// command takes the instructions elsewhere: by `{instructions}` in another argument, or in the same.
pub(crate) struct Prompt<'a> {
    task: Cow<'a, str>,
    instructions: &'a str,
}

impl<'a> Prompt<'a> {
    pub(crate) fn new(agent: &[String], task: &'a str, instructions: &'a str) -> Self {
        let apart = instructions.is_empty() || agent.iter().any(|word| word.contains(INSTRUCTIONS));
        let task = if apart { Cow::Borrowed(task) } else { Cow::Owned(format!("{instructions}\n\n{task}")) };
        Self { task, instructions }
    }

    /// An argument with what it is to hold. What is put in is not looked at again, whatever it says.
    pub(crate) fn put_into(&self, word: &str) -> String {
        let pieces = word.split(TASK).map(|piece| piece.replace(INSTRUCTIONS, self.instructions));
        pieces.collect::<Vec<_>>().join(&self.task)
    }

    /// How long an argument will be; asked before anything of that length is made.
    pub(crate) fn length_in(&self, word: &str) -> usize {
        let times = |name: &str, text: &str| word.matches(name).count() * text.len();
        word.len() + times(TASK, &self.task) + times(INSTRUCTIONS, self.instructions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(agent: &[&str], task: &str, instructions: &str) -> Vec<String> {
        let agent: Vec<_> = agent.iter().map(|word| (*word).to_owned()).collect();
        let prompt = Prompt::new(&agent, task, instructions);
        agent.iter().map(|word| prompt.put_into(word)).collect()
    }

    #[test]
    fn the_task_is_one_argument_whatever_it_holds() {
        assert_eq!(
            command(&["claude", "-p", "{task}", "--note=<{task}>"], "a 'b' $(c)\n-d", ""),
            ["claude", "-p", "a 'b' $(c)\n-d", "--note=<a 'b' $(c)\n-d>"]
        );
    }

    #[test]
    fn instructions_come_before_the_task_unless_the_command_has_a_place_for_them() {
        assert_eq!(command(&["claude", "-p", "{task}"], "Do it", "Be kind"), ["claude", "-p", "Be kind\n\nDo it"]);
        assert_eq!(
            command(&["claude", "-p", "{task}", "--system={instructions}"], "Do it", "Be kind"),
            ["claude", "-p", "Do it", "--system=Be kind"]
        );
        assert_eq!(command(&["claude", "{instructions}", "{task}"], "Do it", ""), ["claude", "", "Do it"]);
    }

    #[test]
    fn what_is_put_in_is_not_looked_at_again() {
        assert_eq!(command(&["{instructions}|{task}"], "{instructions}", "{task}"), ["{task}|{instructions}"]);
        assert_eq!(command(&["{task}"], "{task}", ""), ["{task}"]);
    }
}
