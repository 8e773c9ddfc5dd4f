//! Files: taken in as `multipart/form-data`, and given out as bytes.

use super::answer::{Answer, Asked};
use super::json;
use super::state::State;
use super::ticket::Attachment;

/// A file that was uploaded and belongs to no request yet.
#[derive(Debug, Clone)]
pub(super) struct Temporary {
    pub(super) name: String,
    pub(super) media_type: String,
    pub(super) content: Vec<u8>,
}

/// Largest file that the site takes.
const LARGEST: usize = 50 << 20;

/// `POST /servicedesk/{id}/attachTemporaryFile`.
pub(super) fn take(state: &mut State, asked: &Asked) -> Answer {
    if !asked.unforged {
        return Answer::refuse(403, "XSRF check failed");
    }
    let files = asked
        .media_type
        .split(';')
        .find_map(|part| part.trim().strip_prefix("boundary="))
        .map(|boundary| parts(&asked.body, boundary.trim_matches('"')))
        .unwrap_or_default();
    if files.is_empty() {
        return Answer::refuse(400, "The request has no file.");
    }
    if files.iter().any(|file| file.content.len() > LARGEST) {
        return Answer::refuse(413, "The file exceeds the maximum size of 50 MB.");
    }
    let named: Vec<(String, String)> = files
        .into_iter()
        .map(|file| {
            let id = format!("temp{:06}", state.next_number());
            let name = file.name.clone();
            state.temporary.insert(id.clone(), file);
            (id, name)
        })
        .collect();
    Answer::json(json::document(|o| {
        o.array("temporaryAttachments", |a| {
            for (id, name) in &named {
                a.object(|o| {
                    o.text("temporaryAttachmentId", id);
                    o.text("fileName", name);
                });
            }
        });
    }))
    .with_status(201)
}

/// The files of a multipart body.
fn parts(body: &[u8], boundary: &str) -> Vec<Temporary> {
    let mark = format!("--{boundary}");
    let mut found = Vec::new();
    let mut rest = body;
    while let Some(start) = position(rest, mark.as_bytes()) {
        rest = &rest[start + mark.len()..];
        let (Some(head_end), Some(end)) = (position(rest, b"\r\n\r\n"), position(rest, format!("\r\n{mark}").as_bytes())) else {
            break;
        };
        if head_end + 4 > end {
            break;
        }
        let head = String::from_utf8_lossy(&rest[..head_end]).into_owned();
        let parameter = |name: &str| {
            let (_, value) = head.split_once(&format!("; {name}=\""))?;
            value.split_once('"').map(|(value, _)| value.to_owned())
        };
        if let (Some("file"), Some(name)) = (parameter("name").as_deref(), parameter("filename")) {
            let media_type = match name.rsplit('.').next() {
                Some("txt" | "log") => "text/plain",
                Some("png") => "image/png",
                Some("pdf") => "application/pdf",
                _ => "application/octet-stream",
            };
            found.push(Temporary {
                name,
                media_type: media_type.to_owned(),
                content: rest[head_end + 4..end].to_vec(),
            });
        }
        rest = &rest[end + 2..];
    }
    found
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// `GET /request/{key}/attachment/{id}`: the way to the file.
pub(super) fn way(file: &Attachment, asked: &Asked, thumbnail: bool) -> Answer {
    if thumbnail && !file.media_type.starts_with("image/") {
        return Answer::refuse(404, "The attachment has no thumbnail.");
    }
    let name = percent_encoding::utf8_percent_encode(&file.name, percent_encoding::NON_ALPHANUMERIC);
    let kind = if thumbnail { "thumbnail" } else { "attachment" };
    Answer::new(303, "", "").header(
        "location",
        format!("{}/servicedesk/customershim/secure/{kind}/{}/{name}", asked.base, file.id),
    )
}

/// The file itself.
pub(super) fn content(state: &State, id: &str, thumbnail: bool) -> Answer {
    let Some(file) = id.parse().ok().and_then(|id| state.attachment(id)) else {
        return Answer::refuse(404, "The attachment does not exist.");
    };
    let bytes = match state.contents.get(&file.id) {
        _ if thumbnail => b"a small picture".to_vec(),
        Some(content) => content.clone(),
        // What the site began with has content without meaning.
        None => file
            .name
            .bytes()
            .cycle()
            .take(usize::try_from(file.size).unwrap_or_default())
            .collect(),
    };
    let encoded = percent_encoding::utf8_percent_encode(&file.name, percent_encoding::NON_ALPHANUMERIC);
    Answer::new(200, &file.media_type, bytes).header("content-disposition", format!("attachment; filename*=UTF-8''{encoded}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multipart_body_is_taken_apart() {
        let body =
            "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"größe.txt\"\r\n\r\na\r\n\r\nb--\r\n--x--\r\n";
        let files = parts(body.as_bytes(), "x");
        assert_eq!((files.len(), files[0].name.as_str()), (1, "größe.txt"));
        assert_eq!(files[0].content, b"a\r\n\r\nb--");
        assert!(parts(b"", "x").is_empty() && parts(b"--x--", "x").is_empty());
    }
}
