import type { TranslationBundle } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';

import { duration, messageOf, placeOf, relativeTime, savepointTitle, size, statusText } from '../src/format';
import { anExecution, aSavepoint } from './fakes';

const trans = {
  __: (text: string, ...values: unknown[]) =>
    text.replace(/%(\d)/g, (_, place: string) => String(values[+place - 1]))
} as TranslationBundle;

describe('what a person reads', () => {
  it('counts cells from 1', () => {
    expect(placeOf(aSavepoint('s', 1, { cell: 2, line: 5 }), trans)).toBe('cell 3, line 5');
    expect(placeOf(aSavepoint('s', 1, { cell: null, line: 5 }), trans)).toBe('line 5');
  });

  it('calls a savepoint by its name, else by its call', () => {
    expect(savepointTitle(aSavepoint('s', 1, { name: 'with-data' }))).toBe('with-data');
    expect(savepointTitle(aSavepoint('s', 4))).toBe('log #4');
  });

  it('says a wish next to the status', () => {
    expect(statusText(anExecution('e'), trans)).toBe('Running');
    expect(statusText(anExecution('e', 0, { wish: 'CANCEL' }), trans)).toBe('Running, cancel requested');
    expect(statusText(anExecution('e', 0, { status: 'QUEUED', held_back: 'flow:etl:daily' }), trans)).toBe(
      'Queued, held back: the limit of the flow etl:daily is reached'
    );
    expect(statusText(anExecution('e', 0, { status: 'QUEUED', held_back: 'owner:ann' }), trans)).toBe(
      'Queued, held back: the limit of its owner is reached'
    );
  });

  it('says the message of the flow, else the first line of the error', () => {
    const error = { type: 'InternalError', message: 'broken\nin detail' };
    expect(messageOf(anExecution('e', 0, { error }))).toBe('broken');
    expect(messageOf(anExecution('e', 0, { error, message: 'half done' }))).toBe('half done');
  });

  it('tells how long ago, in the language of the application', () => {
    const now = Date.UTC(2026, 0, 1, 12);
    const ago = (seconds: number) => new Date(now - 1000 * seconds).toISOString();
    expect(relativeTime(ago(4), now, 'en')).toBe('now');
    expect(relativeTime(ago(-4), now, 'en')).toBe('now');
    expect(relativeTime(ago(47), now, 'en')).toBe('40 sec. ago');
    expect(relativeTime(ago(200), now, 'en')).toBe('3 min. ago');
    expect(relativeTime(ago(86_400), now, 'en')).toBe('yesterday');
    expect(relativeTime(ago(200), now, 'de')).toBe('vor 3 Min.');
  });

  it('shows sizes and durations in units that fit', () => {
    expect([0, 950, 12_345, 4_200_000, 2.5e9].map(bytes => size(bytes, 'en'))).toEqual([
      '0B',
      '950B',
      '12.3 kB',
      '4.2 MB',
      '2.5 GB'
    ]);
    expect([850, 3200, 59_000, 185_000, 7_800_000].map(time => duration(time, 'en'))).toEqual([
      '850 ms',
      '3.2 sec',
      '59 sec',
      '3 min 5 sec',
      '2 hr 10 min'
    ]);
  });
});
