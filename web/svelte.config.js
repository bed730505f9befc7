import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/** Styles are always written to files: the page's content security policy allows no inline style. */
export default {
  preprocess: vitePreprocess(),
  compilerOptions: { runes: true, css: 'external' },
};
