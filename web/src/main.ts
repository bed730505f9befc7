/** Starts the page. */
import { mount } from 'svelte';
import './ui/base.css';
import App from './ui/App.svelte';
import { applyTheme, loadTheme } from './ui/theme';

applyTheme(loadTheme());
const target = document.getElementById('app');
if (target === null) throw new Error('index.html has the element #app');
mount(App, { target });
