/**
 * A document for editors that draw: jsdom's, as globals, set up before an editor's package is loaded.
 *
 * Import it first. It lays nothing out: what needs coordinates (scrolling, moving the caret by pixels) is left alone.
 */
import { JSDOM } from 'jsdom'

const { window } = new JSDOM('<!doctype html><body></body>', { pretendToBeVisual: true })

const CLASSES = [
  ...['ClipboardEvent', 'CustomEvent', 'DocumentFragment', 'DOMParser', 'DragEvent', 'Element', 'Event', 'HTMLElement'],
  ...[
    'HTMLTemplateElement',
    'KeyboardEvent',
    'MutationObserver',
    'Node',
    'NodeFilter',
    'Range',
    'Selection',
    'SVGElement',
  ],
  ...['Text', 'XMLSerializer'],
]
const FUNCTIONS = ['cancelAnimationFrame', 'getComputedStyle', 'getSelection', 'requestAnimationFrame']

function put(name, value) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
}

put('window', window)
put('document', window.document)
put('navigator', window.navigator)
put('innerHeight', window.innerHeight)
for (const name of CLASSES) put(name, window[name])
for (const name of FUNCTIONS) put(name, window[name].bind(window))
