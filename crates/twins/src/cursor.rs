//! Pages that lead to the next one by an opaque token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(crate) struct Page<'a, T> {
    pub(crate) items: &'a [T],
    /// `None` on the last page.
    pub(crate) next: Option<String>,
}

/// The page that a token leads to, or the first one; `None` if the token is none of ours.
pub(crate) fn page<'a, T>(items: &'a [T], size: usize, token: Option<&str>) -> Option<Page<'a, T>> {
    let start = token.map_or(Some(0), opened)?;
    let rest = items.get(start..)?;
    let (items, left) = rest.split_at(size.min(rest.len()));
    let next = (!left.is_empty()).then(|| URL_SAFE_NO_PAD.encode(format!("from:{}", start + items.len())));
    Some(Page { items, next })
}

fn opened(token: &str) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    text.strip_prefix("from:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn every_page_size_loses_and_repeats_nothing() {
        let items: Vec<u32> = (0..250).collect();
        for size in 1..=260 {
            let (mut seen, mut token) = (Vec::new(), None);
            loop {
                let page = page(&items, size, token.as_deref()).unwrap();
                seen.extend_from_slice(page.items);
                token = page.next;
                if token.is_none() {
                    break;
                }
            }
            assert_eq!(seen, items, "pages of {size}");
        }
    }

    #[test]
    fn a_strange_token_leads_nowhere() {
        assert!(page(&[1, 2, 3], 2, Some("strange")).is_none());
    }
}
