//! The web page: three files without a framework, a build step or anything from elsewhere. They are part of the program, so what is shown
//! fits the status that the same program answers.

/// The file that is answered at a path: its type, as HTTP names it, and its text.
pub(super) fn file(path: &str) -> Option<(&'static str, &'static str)> {
    match path {
        "/" => Some(("text/html; charset=utf-8", include_str!("page/index.html"))),
        "/style.css" => Some(("text/css; charset=utf-8", include_str!("page/style.css"))),
        "/page.js" => Some(("text/javascript; charset=utf-8", include_str!("page/page.js"))),
        _ => None,
    }
}

/// What a browser may load and do: these files, and questions to the daemon. Names of nodes and peers are foreign text; should one ever
/// be read as HTML by mistake, no script in it runs, and nothing leaves the browser.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
