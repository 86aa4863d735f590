//! `patron completions` and `patron manual`: both from the one definition of the command line.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Command};
use clap_complete::Shell;

use crate::files;

/// Print completions for a shell.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

/// Print the manual page, or write one for every command.
#[derive(Debug, Args)]
pub struct ManualArgs {
    /// Folder for patron.1, patron-serve.1 and so on; otherwise patron.1 is printed.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Prints what a shell reads to complete a line.
///
/// # Errors
/// When it cannot be printed.
pub fn completions(args: &CompletionsArgs, mut command: Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "patron", &mut script);
    Ok(std::io::stdout().write_all(&script)?)
}

/// Prints or writes manual pages.
///
/// # Errors
/// When the folder cannot be written.
pub fn manual(args: &ManualArgs, command: Command) -> Result<()> {
    match &args.folder {
        None => Ok(clap_mangen::Man::new(command).render(&mut std::io::stdout())?),
        Some(folder) => {
            let unwritable = || format!("{} cannot be written", folder.display());
            files::make_folder(folder).with_context(unwritable)?;
            clap_mangen::generate_to(command, folder).with_context(unwritable)
        }
    }
}
