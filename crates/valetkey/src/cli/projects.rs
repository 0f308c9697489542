use clap::{Args, Subcommand};
use valetkey_model::{Description, IntegrationRef, ProjectName, PushPattern, RepoUrl, Role};

#[derive(Debug, Subcommand)]
pub(crate) enum ProjectsCommand {
    /// The projects that you are in (the default)
    List,
    /// Make one; you are its first admin
    Create {
        /// Its name: small letters, digits and dashes
        project: ProjectName,
        #[command(flatten)]
        settings: ProjectSettingsArgs,
    },
    /// Everything about one
    Show {
        /// Its name
        project: ProjectName,
    },
    /// Change what it is for, or what its sessions begin with
    Change {
        /// Its name
        project: ProjectName,
        #[command(flatten)]
        settings: ProjectSettingsArgs,
        /// Back to the server's default agent
        #[arg(long, conflicts_with = "default_agent")]
        no_default_agent: bool,
        /// Any push branch may be named again
        #[arg(long, conflicts_with = "push_pattern")]
        no_push_pattern: bool,
    },
    /// Delete one; says what would be lost and asks, or refuses where there is no terminal
    Delete {
        /// Its name
        project: ProjectName,
        /// All that it holds may go: don't ask
        #[arg(long)]
        everything: bool,
    },
    /// Who is in one, and as what
    Members {
        #[command(subcommand)]
        command: MembersCommand,
    },
    /// The repositories of one
    Repositories {
        #[command(subcommand)]
        command: RepositoriesCommand,
    },
}

/// What a project can be given.
#[derive(Debug, Args)]
pub(crate) struct ProjectSettingsArgs {
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<Description>,
    /// The command of sessions that name none
    #[arg(long, value_name = "CMD")]
    pub(crate) default_agent: Option<String>,
    /// How push branches are named: agents/{session}, {user}/{date}-{session}
    #[arg(long, value_name = "PATTERN")]
    pub(crate) push_pattern: Option<PushPattern>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MembersCommand {
    /// Who is in it
    List {
        /// The project
        project: ProjectName,
    },
    /// Give somebody a role, or another one
    Set {
        /// The project
        project: ProjectName,
        #[command(flatten)]
        member: MemberArgs,
        /// viewer, member or admin
        #[arg(long)]
        role: Role,
    },
    /// Take somebody out; what they have running in it is stopped
    Remove {
        /// The project
        project: ProjectName,
        #[command(flatten)]
        member: MemberArgs,
    },
}

/// How somebody in a project is named: in one of three ways.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct MemberArgs {
    /// Whoever has this verified e-mail address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) email: Option<String>,
    /// Everybody in this group of the identity provider
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// The person with this id
    #[arg(long, value_name = "ID")]
    pub(crate) person: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RepositoriesCommand {
    /// Those that it has
    List {
        /// The project
        project: ProjectName,
    },
    /// Add one, once its provider has shown it to your integration
    Add(RepositoryArgs),
    /// Ask its provider anew
    Check(RepositoryArgs),
    /// Take one off its list
    Remove {
        /// The project
        project: ProjectName,
        /// The repository
        #[arg(value_name = "URL")]
        repository: RepoUrl,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RepositoryArgs {
    /// The project
    pub(crate) project: ProjectName,
    /// The repository
    #[arg(value_name = "URL")]
    pub(crate) repository: RepoUrl,
    /// The integration to ask with; found by the repository's host if none
    #[arg(long, value_name = "ID|ALIAS")]
    pub(crate) integration: Option<IntegrationRef>,
}
