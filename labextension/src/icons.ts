import { LabIcon } from '@jupyterlab/ui-components';

import type { Status } from './api';

function icon(name: string, size: number, body: string): LabIcon {
  const box = `viewBox="0 0 ${size} ${size}"`;
  return new LabIcon({
    name: `jupyter-flows:${name}`,
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" ${box}>${body}</svg>`
  });
}

// The theme colours what has `jp-icon3` with the attribute `fill` or `stroke`, so `fill="none"` stands further out.
const outline = 'class="jp-icon3" stroke="#616161" stroke-linecap="round" stroke-linejoin="round"';
const dot = 'class="jp-icon3" fill="#616161"';

/** Two steps and the way between them. */
export const flowsIcon = icon(
  'flows',
  24,
  `<g fill="none" stroke-width="2">
     <path ${outline} d="M8.5 5.5H15a3.25 3.25 0 0 1 0 6.5H9a3.25 3.25 0 0 0 0 6.5h6.5"/>
   </g>
   <circle ${dot} cx="5.5" cy="5.5" r="3"/><circle ${dot} cx="18.5" cy="18.5" r="3"/>`
);

/** A box with a lid. */
export const archiveIcon = icon(
  'archive',
  16,
  `<g fill="none" stroke-width="1.5">
     <path ${outline} d="M2 3h12v3H2zM3 6v7h10V6M6.5 8.75h3"/>
   </g>`
);

// Status icons take the colour of the text around them; each differs in shape from all others.
const ring = '<circle cx="8" cy="8" r="6.25" fill="none" stroke="currentColor" stroke-width="1.5"/>';
const disc = '<circle cx="8" cy="8" r="7" fill="currentColor"/>';
const line =
  'fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"';
const cut =
  'class="jp-Flows-cut" fill="none" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round"';

const statusIcons: Record<Status, LabIcon> = {
  QUEUED: icon('queued', 16, `${ring}<path d="M8 4.5V8l2.5 1.5" ${line}/>`),
  RUNNING: icon('running', 16, `${ring}<path d="M6.5 5.25v5.5L11 8z" fill="currentColor"/>`),
  WAITING: icon(
    'waiting',
    16,
    `<path d="M4.5 1.75h7M4.5 14.25h7M5.25 1.75c0 4 5.5 4.5 5.5 6.25s-5.5 2.25-5.5 6.25m5.5-12.5c0 4-5.5 4.5-5.5 6.25s5.5 2.25 5.5 6.25" ${line}/>`
  ),
  PAUSED: icon('paused', 16, `${ring}<path d="M6.25 5.5v5M9.75 5.5v5" ${line}/>`),
  ENDED_SUCCESS: icon('success', 16, `${disc}<path d="M4.75 8.25l2.25 2.25 4.25-4.75" ${cut}/>`),
  ENDED_ERROR: icon('error', 16, `${disc}<path d="M5.5 5.5l5 5m0-5l-5 5" ${cut}/>`),
  ENDED_CANCELLED: icon('cancelled', 16, `${ring}<path d="M3.75 12.25l8.5-8.5" ${line}/>`)
};

export function statusIcon(status: Status): LabIcon {
  return statusIcons[status];
}

/** Back to a point: an arrow that turns around to a dot. */
export const restoreIcon = icon(
  'restore',
  16,
  `<g fill="none" stroke-width="1.5"><path ${outline} d="M3 8a5 5 0 1 0 1.6-3.7L2.75 6M2.75 2.75V6H6"/></g>
   <circle ${dot} cx="8" cy="8" r="1.5"/>`
);

/** Back, into other code: the arrow turns around a pair of angle brackets. */
export const restoreCodeIcon = icon(
  'restore-code',
  16,
  `<g fill="none" stroke-width="1.5">
     <path ${outline} d="M3 8a5 5 0 1 0 1.6-3.7L2.75 6M2.75 2.75V6H6M7 6.25L5.5 8 7 9.75M9 6.25L10.5 8 9 9.75"/>
   </g>`
);

/** One line becomes two. */
export const forkIcon = icon(
  'fork',
  16,
  `<g fill="none" stroke-width="1.5"><path ${outline} d="M4.5 4.75v6.5M4.5 9c0-2.5 7-1 7-4.25"/></g>
   <circle ${dot} cx="4.5" cy="3" r="1.75"/><circle ${dot} cx="4.5" cy="13" r="1.75"/>
   <circle ${dot} cx="11.5" cy="3" r="1.75"/>`
);

export const parentIcon = icon(
  'parent',
  16,
  `<g fill="none" stroke-width="1.5">
     <path ${outline} d="M12.5 13H8.25A2.25 2.25 0 0 1 6 10.75V3.25M3 6.25l3-3 3 3"/>
   </g>`
);

export const warningIcon = icon(
  'warning',
  16,
  `<path d="M8 1.75L15 14H1z" fill="currentColor" stroke="currentColor" stroke-linejoin="round"/>
   <path d="M8 6.25v3.5M8 11.75v.05" ${cut}/>`
);
