/** What people type as a link's address. */
import { isAllowedUri } from '@tiptap/extension-link';

/** The address to link to; `null` when no link may lead there. Names without a scheme get https. */
export function addressOf(typed: string): string | null {
  const text = typed.trim();
  if (text === '' || /\s/.test(text)) return null;
  if (text.startsWith('/') || text.startsWith('#')) return text;
  if (/^[^@/]+@[^@/]+\.[^@/]+$/.test(text) && !text.includes(':')) return `mailto:${text}`;
  const href = /^[a-z][a-z0-9+.-]*:(?!\d)/i.test(text) ? text : `https://${text}`;
  return isAllowedUri(href) ? href : null;
}
