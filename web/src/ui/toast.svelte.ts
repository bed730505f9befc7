/** One short line that appears, is read out politely, and goes. */

const SHOWN_MS = 6000;

let text = $state('');
let timer: ReturnType<typeof setTimeout> | null = null;

/** The line now, empty when there is none. */
export function toastText(): string {
  return text;
}

/** Says a line; a new one replaces the old. */
export function say(line: string): void {
  if (timer !== null) clearTimeout(timer);
  text = line;
  timer = setTimeout(hush, SHOWN_MS);
}

/** Takes the line away. */
export function hush(): void {
  text = '';
}
