//! Why was this the answer?
//!
//! A route says so with its answer, in one word. Nobody needs it to send the answer; whoever wants to learn does (`--explain`).

/// What was found under the path that was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Because {
    /// It was not looked for: the request was turned away before, or was not about one path.
    #[default]
    NotLookedFor,
    /// A file, which was in memory.
    Kept,
    /// A file, which was opened.
    Opened,
    /// A file, but in no coding that the client takes.
    Unacceptable,
    /// A directory without an index.
    Directory,
    /// A directory under the name of a file.
    NoSlash,
    /// Something that could not be opened.
    Failed,
    /// No file, but a built-in route of that path.
    Route(&'static str),
    /// Nothing, so the page that an application begins with.
    Application,
    /// Nothing.
    Nothing,
}

impl Because {
    /// The same in a sentence.
    pub fn text(self) -> &'static str {
        match self {
            Because::NotLookedFor => {
                "nothing was looked up: the request was turned away at the door, or is about the server as a whole"
            }
            Because::Kept => {
                "a file of the directory has that name. It is in memory, and a look at its path showed that it is still the same"
            }
            Because::Opened => "a file of the directory has that name, and was opened",
            Because::Unacceptable => "a file has that name, but in no coding that Accept-Encoding allows",
            Because::Directory => "a directory has that name and no index in it, so its names are listed",
            Because::NoSlash => {
                "a directory has that name: links in its pages are relative to a slash at its end, so the client is sent there"
            }
            Because::Failed => "something has that name, but it cannot be opened",
            Because::Route(_) => "no file has that name, so a built-in route answers: your files win",
            Because::Application => {
                "nothing has that name, and somebody goes to a page: the application's first page answers (--spa)"
            }
            Because::Nothing => "neither a file nor a route has that name",
        }
    }
}
