import { defineConfig } from 'vite'

export default defineConfig({
  root: 'pages',
  // Two copies of yjs in one page stop syncing without a word.
  resolve: { dedupe: ['yjs', 'y-protocols'] },
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2022',
    // Nobody but a local browser loads these pages: a fast build is worth more than small files.
    minify: false,
    modulePreload: false,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 10_000,
  },
  logLevel: 'warn',
})
