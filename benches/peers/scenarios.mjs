/**
 * What is measured (`load --help` of the generator says how), which figures are shown, and which way is better.
 *
 * `load` are arguments of the generator; `note` is what a reader must know. A figure is [key in the generator's line, heading, unit, 'less' or 'more'].
 */
export const SCENARIOS = [
  {
    name: 'quiet',
    title: 'Two people in a document, one of them types',
    load: 'fanout --docs 4 --clients 2 --writers 1 --rate 5 --secs 10',
    figures: [
      ['p50_ms', 'p50', 'ms', 'less'],
      ['p99_ms', 'p99', 'ms', 'less'],
    ],
    plot: 'p50_ms',
  },
  {
    name: 'fanout',
    title: '50 people in a document, all typing 5 letters a second',
    load: 'fanout --clients 50 --rate 5 --secs 6',
    figures: [
      ['server_us_per_update', 'CPU per update seen by one person', 'µs', 'less'],
      ['p50_ms', 'p50', 'ms', 'less'],
      ['p99_ms', 'p99', 'ms', 'less'],
    ],
    plot: 'server_us_per_update',
  },
  {
    name: 'crowd',
    title: '200 people in a document, 20 of them typing',
    load: 'fanout --clients 200 --writers 20 --rate 5 --secs 6',
    figures: [
      ['server_us_per_update', 'CPU per update seen by one person', 'µs', 'less'],
      ['p99_ms', 'p99', 'ms', 'less'],
    ],
  },
  {
    name: 'many',
    title: '500 documents with two people each, typing 2 letters a second',
    load: 'fanout --docs 500 --clients 2 --rate 2 --secs 6',
    figures: [
      ['server_us_per_update', 'CPU per update seen by the other', 'µs', 'less'],
      ['p99_ms', 'p99', 'ms', 'less'],
    ],
    plot: 'server_us_per_update',
  },
  {
    name: 'saturate',
    title: 'The most people typing 5 letters a second in one document (p99 up to 100 ms, nothing lost)',
    load: 'saturate --rate 5 --secs 2.5 --start 125 --max 2500 --near 5',
    figures: [
      ['people', 'people', '', 'more'],
      ['p99_ms', 'p99 with them', 'ms', null],
    ],
    plot: 'people',
  },
  {
    name: 'idle',
    title: '5,000 idle connections in 100 documents',
    load: 'idle --people 5000 --docs 100',
    figures: [
      ['kib_per_connection', 'memory of each', 'KiB', 'less'],
      ['connects_per_s', 'connects a second', '', 'more'],
    ],
    plot: 'kib_per_connection',
  },
  {
    name: 'bigdoc',
    title: 'A document of 260,000 edits (1.7 MB)',
    load: 'bigdoc --edits 260000 --opens 3 --storm 100 --load-timeout 40',
    figures: [
      ['load_edits_per_s', 'typed live, edits a second', '', 'more'],
      ['warm_ms', 'opened warm', 'ms', 'less'],
      ['cold_ms', 'opened cold', 'ms', 'less'],
      ['warm_storm_ms', '100 at once, warm', 'ms', 'less'],
      ['cold_storm_ms', '100 at once, cold', 'ms', 'less'],
      ['cold_storm_peak_mib', 'memory at most then', 'MiB', 'less'],
    ],
    plot: 'cold_ms',
  },
  {
    name: 'presence',
    title: '1,500 people in a document, each moving a cursor once a second',
    load: 'presence --people 1500 --rate 1 --secs 5',
    note: 'Clients of y-websocket and y-sweet send back every place that they hear; those of Hocuspocus do not, and are played so. A server may leave out places that are followed by others.',
    figures: [
      ['server_cpu', 'share of one core', '', 'less'],
      ['p99_ms', 'age of a place when it is shown, p99', 'ms', 'less'],
      ['until_this_or_later_p99_ms', 'until it or a later one is shown, p99', 'ms', 'less'],
      ['shown', 'share of places shown', '', 'more'],
      ['never_appeared', 'pairs who never saw each other', '', 'less'],
    ],
    plot: 'until_this_or_later_p99_ms',
  },
  {
    name: 'joiners',
    title: '200 people a second take a document of 4 MB and leave, while 50 type in it',
    load: 'joiners --joiners 200 --megabytes 4 --typing 50 --secs 6',
    figures: [
      ['typing_p50_ms', 'typing, p50', 'ms', 'less'],
      ['typing_p99_ms', 'typing, p99', 'ms', 'less'],
      ['served_per_s', 'joiners served a second', '', 'more'],
    ],
    plot: 'typing_p99_ms',
  },
  {
    name: 'durable',
    title: 'kill -9 while 20 people type',
    load: 'durable --people 20 --rounds 2',
    note: 'What others had seen, and is gone after a restart. Two kills a run.',
    figures: [
      ['lost', 'updates lost that others had seen', '', 'less'],
      ['seen', 'of', '', null],
    ],
  },
  {
    name: 'durable1000',
    title: 'kill -9 while 1,000 people type',
    load: 'durable --people 1000 --rounds 2',
    figures: [
      ['lost', 'updates lost that others had seen', '', 'less'],
      ['seen', 'of', '', null],
    ],
  },
  {
    name: 'slow',
    title: '16 people who never read, offered 2 GB together',
    note: 'Memory at most, less what the same server uses at most without them.',
    load: 'slow --readers 16 --megabytes 2000 --timeout 40',
    figures: [
      ['growth_mib_per_reader', 'memory growth for each', 'MiB', 'less'],
      ['offered_mb', 'offered', 'MB', null],
      ['same', 'have the same text when they read again', '', 'more'],
    ],
    plot: 'growth_mib_per_reader',
  },
  {
    name: 'probe',
    title: 'Pairs of people typing beside a document in which others type as fast as they can',
    load: 'probe --probes 8 --secs 8',
    note: 'The server on all cores, the generator beside it.',
    unpinned: true,
    figures: [
      ['alone_p99_ms', 'p99 alone', 'ms', 'less'],
      ['beside_p99_ms', 'p99 beside it', 'ms', 'less'],
      ['busy_updates_per_s', 'updates a second in the busy one', '', 'more'],
    ],
    plot: 'beside_p99_ms',
  },
  {
    name: 'traces',
    title: 'Recorded sessions of people, typed live as fast as the server takes them',
    note: 'Played by `coscribe replay --onto`, with as many connections as there were writers, until all is acknowledged; a trace counts when everybody has its text in the end.',
    traces: ['sveltecomponent', 'friendsforever', 'automerge-paper'],
    figures: [
      ['sveltecomponent', '`sveltecomponent`', 'edits/s', 'more'],
      ['friendsforever', '`friendsforever`', 'edits/s', 'more'],
      ['automerge-paper', '`automerge-paper`', 'edits/s', 'more'],
    ],
    plot: 'automerge-paper',
  },
]
