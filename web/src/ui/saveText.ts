/** Hands a text to the reader as a file, without a server. */

/** Some browsers read the blob only a while after the click. */
const READ_TIMEOUT_MS = 60_000;

/** A name that file systems take; titles may have anything in them. */
export function fileName(title: string): string {
  const plain = title
    .replace(/[\s\p{C}\\/:*?"<>|]+/gu, ' ')
    .trim()
    .slice(0, 80);
  return `${plain === '' ? 'note' : plain}.md`;
}

/** Starts the download. */
export function saveText(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/markdown' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), READ_TIMEOUT_MS);
}
