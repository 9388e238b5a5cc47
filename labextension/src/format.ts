/** Words, times and sizes as a person reads them, in the language of the application. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IExecutionView, ISavepointView, Status } from './api';

export function statusWord(status: Status, trans: TranslationBundle): string {
  switch (status) {
    case 'QUEUED':
      return trans.__('Queued');
    case 'RUNNING':
      return trans.__('Running');
    case 'WAITING':
      return trans.__('Waiting');
    case 'PAUSED':
      return trans.__('Paused');
    case 'ENDED_SUCCESS':
      return trans.__('Success');
    case 'ENDED_ERROR':
      return trans.__('Error');
    case 'ENDED_CANCELLED':
      return trans.__('Cancelled');
    default:
      return status;
  }
}

/** The status with the wish that it has not yet followed, or the limit that keeps it from being begun. */
export function statusText(execution: IExecutionView, trans: TranslationBundle): string {
  const word = statusWord(execution.status, trans);
  if (execution.wish === 'CANCEL') {
    return trans.__('%1, cancel requested', word);
  }
  if (execution.wish === 'PAUSE') {
    return trans.__('%1, pause requested', word);
  }
  const [kind, ...name] = (execution.held_back ?? '').split(':');
  switch (kind) {
    case 'flow':
      return trans.__('%1, held back: the limit of the flow %2 is reached', word, name.join(':'));
    case 'owner':
      return trans.__('%1, held back: the limit of its owner is reached', word);
    default:
      return word;
  }
}

/** What a list says below the name: why it failed, else what the flow said last. */
export function messageOf(execution: IExecutionView): string {
  return execution.message ?? (execution.error ? firstLine(execution.error.message) : '');
}

export function typeWord(execution: IExecutionView, trans: TranslationBundle): string {
  switch (execution.type) {
    case 'CONNECTION':
      return trans.__('Connection');
    case 'NOTEBOOK':
      return trans.__('Notebook');
    default:
      return trans.__('Flow');
  }
}

/** Where a savepoint was made: "cell 3, line 2". Cells are counted from 1 here, as people do. */
export function placeOf(savepoint: ISavepointView, trans: TranslationBundle): string {
  return savepoint.cell === null
    ? trans.__('line %1', savepoint.line)
    : trans.__('cell %1, line %2', savepoint.cell + 1, savepoint.line);
}

/** What a person calls a savepoint: its name, else the call it was made for. */
export function savepointTitle(savepoint: ISavepointView): string {
  return savepoint.name ?? `${savepoint.action} #${savepoint.number}`;
}

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 365 * 86_400],
  ['month', 30 * 86_400],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1]
];

/** "5 min. ago"; seconds in steps of ten, so that a list does not flicker. Instants in milliseconds. */
export function relativeTime(instant: string, now: number, locale: string): string {
  const seconds = Math.max(0, (now - Date.parse(instant)) / 1000);
  const format = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' });
  const [unit, length] = UNITS.find(([, size]) => seconds >= size) ?? ['second', 1];
  const count = unit === 'second' ? Math.floor(seconds / 10) * 10 : Math.floor(seconds / length);
  return format.format(-count, unit);
}

export function exactTime(instant: string, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' }).format(
    new Date(instant)
  );
}

/** The time of day, with the day unless it is today's. */
export function shortTime(instant: string, now: number, locale: string): string {
  const at = new Date(instant);
  const isToday = at.toDateString() === new Date(now).toDateString();
  return new Intl.DateTimeFormat(locale, {
    ...(isToday ? {} : { month: 'short', day: 'numeric' }),
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit'
  }).format(at);
}

/** "850 ms", "12 s", "3 min 5 s", "2 h 10 min". */
export function duration(milliseconds: number, locale: string): string {
  const unit = (value: number, name: string, digits = 0): string =>
    new Intl.NumberFormat(locale, {
      style: 'unit',
      unit: name,
      unitDisplay: 'short',
      maximumFractionDigits: digits
    }).format(value);
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 1) {
    return unit(Math.round(milliseconds), 'millisecond');
  }
  if (seconds < 60) {
    return unit(seconds, 'second', seconds < 10 ? 1 : 0);
  }
  if (seconds < 3600) {
    return `${unit(Math.floor(seconds / 60), 'minute')} ${unit(Math.floor(seconds % 60), 'second')}`;
  }
  if (seconds < 86_400) {
    return `${unit(Math.floor(seconds / 3600), 'hour')} ${unit(Math.floor((seconds % 3600) / 60), 'minute')}`;
  }
  return `${unit(Math.floor(seconds / 86_400), 'day')} ${unit(Math.floor((seconds % 86_400) / 3600), 'hour')}`;
}

/** Bytes in decimal units: "1.5 MB". */
export function size(bytes: number, locale: string): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
  const exponent = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit: units[exponent],
    unitDisplay: exponent === 0 ? 'narrow' : 'short',
    maximumFractionDigits: 1
  }).format(bytes / 1000 ** exponent);
}

export function firstLine(text: string): string {
  return text.split('\n', 1)[0];
}
