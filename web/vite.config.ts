import { svelte } from '@sveltejs/vite-plugin-svelte';
import { fileURLToPath } from 'node:url';
import type { IndexHtmlTransformContext, Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** Names what every page needs in `index.html`, so that it is on its way before the first script runs. */
const preloadStart: Plugin = {
  name: 'preload-start',
  transformIndexHtml: { order: 'post', handler: preloadTags },
};

function preloadTags(_html: string, { bundle = {} }: IndexHtmlTransformContext) {
  const start = Object.values(bundle).find((file) => file.name === 'start');
  const names = start?.type === 'chunk' ? [start.fileName, ...start.imports] : [];
  return names.map((name) => ({
    tag: 'link',
    attrs: { rel: 'modulepreload', href: `/${name}` },
    injectTo: 'head' as const,
  }));
}

export default defineConfig({
  plugins: [svelte(), preloadStart],
  // Two copies of yjs in one page stop syncing without a word.
  resolve: {
    dedupe: ['yjs', 'y-protocols', 'lib0'],
    alias: {
      '@tiptap/pm/history': fileURLToPath(new URL('src/editor/noHistory.ts', import.meta.url)),
    },
  },
  build: {
    target: 'es2022',
    // Files only: the content security policy names no inline script or style.
    assetsInlineLimit: 0,
    cssCodeSplit: true,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 900,
    rolldownOptions: {
      output: {
        // One file for what runs first and one for each page: what a dialog shares with its page is
        // in the page's file, and no file of its own.
        codeSplitting: {
          groups: [
            { name: 'main', test: /\/src\/main\.ts$/, priority: 3 },
            { name: 'home', test: /\/ui\/App\.svelte$/, priority: 2 },
            { name: 'note', test: /\/ui\/NotePage\.svelte$/, priority: 1 },
          ],
        },
      },
    },
  },
  server: {
    proxy: {
      '/collab': { target: 'ws://127.0.0.1:8080', ws: true },
      '/api': 'http://127.0.0.1:8080',
    },
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
