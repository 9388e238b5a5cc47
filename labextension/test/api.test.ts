import { describe, expect, it } from 'vitest';
import { isFinal } from '../src/api';

describe('the status of an execution', () => {
  it('is final exactly when it has ended', () => {
    expect((['QUEUED', 'RUNNING', 'WAITING', 'PAUSED'] as const).some(isFinal)).toBe(false);
    expect((['ENDED_SUCCESS', 'ENDED_ERROR', 'ENDED_CANCELLED'] as const).every(isFinal)).toBe(true);
  });
});
