/** Builds the page in memory and fails when what it loads first is over its budget, in bytes after gzip. */
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const KB = 1000;
const BUDGETS = [
  { page: 'home', kind: 'js', limit: 45 * KB },
  { page: 'home', kind: 'css', limit: 12 * KB },
  { page: 'note', kind: 'js', limit: 230 * KB },
  { page: 'note', kind: 'css', limit: 20 * KB },
];

const { output } = await build({ logLevel: 'warn', build: { write: false } });
const files = new Map(output.map((file) => [file.fileName, file]));

/** What a chunk loads by itself: its own file, its styles, and the same of what it imports. */
function filesOf(chunk, found = new Set()) {
  if (found.has(chunk.fileName)) return found;
  found.add(chunk.fileName);
  for (const style of chunk.viteMetadata.importedCss) found.add(style);
  for (const imported of chunk.imports) filesOf(files.get(imported), found);
  return found;
}

const chunks = output.filter((file) => file.type === 'chunk');
const named = (ending) => chunks.find((chunk) => chunk.moduleIds.some((id) => id.endsWith(ending)));
const home = filesOf(named('/ui/start.ts'), filesOf(chunks.find((chunk) => chunk.isEntry)));
const note = filesOf(named('/NotePage.svelte'));
const pages = { home, note: new Set([...home, ...note]) };

function gzippedSize(name) {
  const file = files.get(name);
  return gzipSync(file.code ?? file.source, { level: 9 }).length;
}

for (const { page, kind, limit } of BUDGETS) {
  const names = [...pages[page]].filter((name) => name.endsWith(`.${kind}`));
  const size = names.reduce((sum, name) => sum + gzippedSize(name), 0);
  const verdict = size > 0 && size <= limit ? 'ok' : 'OVER BUDGET';
  process.stdout.write(`${page} ${kind}: ${size} of ${limit} bytes, ${verdict}\n`);
  if (verdict !== 'ok') process.exitCode = 1;
}
