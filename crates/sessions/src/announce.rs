use valetkey_model::{Problem, ProviderKind, RepositoryRun};

use crate::run::Run;

/// Words the completion notice and stores it as the session's message. The texts are fixed: scripts read them.
pub(crate) async fn give_notice(run: &mut Run) -> Result<(), Problem> {
    let notice = notice(&run.session.repositories);
    run.log(&notice).await?;
    run.session.message = Some(notice);
    Ok(())
}

fn notice(repositories: &[RepositoryRun]) -> String {
    let mut text = "AgenticSession completed successfully!".to_owned();
    let pushed: Vec<(ProviderKind, &String)> =
        repositories.iter().filter_map(|r| Some((r.provider?, r.branch_url.as_ref()?))).collect();
    for (provider, url) in &pushed {
        text.push_str(&format!("\nView changes in {}:\n{url}", provider.short_name()));
    }
    let unpushed: Vec<&RepositoryRun> = repositories.iter().filter(|it| it.unpushed).collect();
    if pushed.is_empty() && unpushed.is_empty() {
        text.push_str("\nNothing changed, so no branch was pushed.");
    }
    for repository in unpushed {
        text.push_str(&format!("\nChanged, but not pushed, as no integration is used for it:\n{}", repository.url));
    }
    for url in repositories.iter().filter_map(|r| r.pull_request_url.as_ref()) {
        text.push_str(&format!("\nPull request:\n{url}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(url: &str, provider: ProviderKind, branch_url: Option<&str>) -> RepositoryRun {
        let json = serde_json::json!({"url": url, "provider": provider, "branchUrl": branch_url});
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_pair_of_lines_per_pushed_repository() {
        let runs = [
            run("https://gitlab.com/a/b", ProviderKind::GitLab, Some("https://gitlab.com/a/b/-/tree/x")),
            run("https://gitlab.com/a/c", ProviderKind::GitLab, None),
            run("https://github.com/a/b", ProviderKind::GitHub, Some("https://github.com/a/b/tree/x")),
        ];
        assert_eq!(
            notice(&runs),
            "AgenticSession completed successfully!\nView changes in GitLab:\nhttps://gitlab.com/a/b/-/tree/x\nView changes in GitHub:\nhttps://github.com/a/b/tree/x"
        );
        let mut unpushed = run("https://gitlab.com/a/d", ProviderKind::GitLab, None);
        unpushed.unpushed = true;
        assert_eq!(
            notice(&[runs[1].clone(), unpushed]),
            "AgenticSession completed successfully!\nChanged, but not pushed, as no integration is used for it:\nhttps://gitlab.com/a/d"
        );
        assert_eq!(
            notice(&runs[1..2]),
            "AgenticSession completed successfully!\nNothing changed, so no branch was pushed."
        );
    }
}
