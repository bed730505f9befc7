/** A Yjs client without an editor, and the shared elements that it writes. */
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import { WebSocket } from 'ws';
import * as Y from 'yjs';

/** A plain Yjs client in this process; resolves when it has what the server has. */
export function plainClient(server, name) {
  const document = new Y.Doc();
  const socket = new HocuspocusProviderWebsocket({
    url: `${server.origin.replace('http', 'ws')}/collab`,
    WebSocketPolyfill: WebSocket,
  });
  const provider = new HocuspocusProvider({ name, document, websocketProvider: socket });
  provider.attach();
  const stored = () =>
    new Promise((resolve) => {
      if (provider.isSynced && provider.unsyncedChanges === 0) resolve();
      else provider.on('unsyncedChanges', ({ number }) => number === 0 && resolve());
    });
  const close = () => {
    provider.destroy();
    socket.destroy();
  };
  return {
    document,
    text: document.getXmlFragment('default'),
    awareness: provider.awareness,
    stored,
    close,
  };
}

/** A line of text. */
export function paragraph(text, marks = {}) {
  const element = new Y.XmlElement('paragraph');
  const run = new Y.XmlText();
  run.insert(0, text, marks);
  element.insert(0, [run]);
  return element;
}

/** A table of these rows of cells. */
export function table(...rows) {
  const element = new Y.XmlElement('table');
  element.insert(
    0,
    rows.map((cells) => {
      const row = new Y.XmlElement('tableRow');
      row.insert(0, cells);
      return row;
    }),
  );
  return element;
}

/** A cell, over as many columns as it says. */
export function cell(text, colspan = 1) {
  const element = new Y.XmlElement('tableCell');
  element.setAttribute('colspan', colspan);
  element.insert(0, [paragraph(text)]);
  return element;
}
