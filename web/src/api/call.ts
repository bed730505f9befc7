/** How the page asks the server's API, and what it gets. */

/** Why there is no answer. */
export type ApiFault =
  | { readonly kind: 'unreachable' }
  /** The token does not administer the note. */
  | { readonly kind: 'denied' }
  /** In the server's own words. */
  | { readonly kind: 'refused'; readonly detail: string };

/** What came of a call. */
export type Answer<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'failed'; readonly fault: ApiFault };

/** A path under a note; the note is one segment of it. */
export function documentPath(id: string, rest: string): string {
  return `/api/v1/documents/${encodeURIComponent(id)}/${rest}`;
}

/** Asks the server, with the token that this tab has for the note. */
export async function call(
  method: string,
  path: string,
  token: string | null,
  body?: object,
): Promise<Answer<unknown>> {
  const request: RequestInit = {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      'content-type': 'application/json',
    },
    cache: 'no-store',
  };
  if (body !== undefined) request.body = JSON.stringify(body);
  try {
    const response = await fetch(path, request);
    const body = await response.text();
    const value: unknown = body === '' ? null : JSON.parse(body);
    if (response.ok) return { kind: 'ok', value };
    return { kind: 'failed', fault: faultOf(response.status, value) };
  } catch {
    // No connection, or an answer that is none of our server's.
    return { kind: 'failed', fault: { kind: 'unreachable' } };
  }
}

function faultOf(status: number, problem: unknown): ApiFault {
  if (status === 401 || status === 403) return { kind: 'denied' };
  const { detail } = fieldsOf(problem);
  return typeof detail === 'string' ? { kind: 'refused', detail } : { kind: 'unreachable' };
}

/** The fields of an answer, whatever it is. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
