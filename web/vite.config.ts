import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [svelte()],
  // Two copies of yjs in one page stop syncing without a word.
  resolve: { dedupe: ['yjs', 'y-protocols', 'lib0'] },
  build: {
    target: 'es2022',
    // Files only: the content security policy names no inline script or style.
    assetsInlineLimit: 0,
    cssCodeSplit: true,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 900,
  },
  server: { proxy: { '/collab': { target: 'ws://127.0.0.1:8080', ws: true } } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
