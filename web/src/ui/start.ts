/** Puts the app on the page. */
import { mount } from 'svelte';
import App from './App.svelte';

const target = document.getElementById('app');
if (target === null) throw new Error('index.html has the element #app');
mount(App, { target });
