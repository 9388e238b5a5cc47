import type { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

/**
 * A button with an icon and, unless `isIconOnly`, its label. One that cannot be used says why in its tooltip, and
 * so stays reachable for mouse and keyboard.
 */
export function ActionButton(props: {
  icon: LabIcon;
  label: string;
  run: () => void;
  className?: string;
  isIconOnly?: boolean;
  /** The tooltip; the label when not given. */
  caption?: string;
  whyDisabled?: string | null;
}): React.ReactElement {
  const isDisabled = Boolean(props.whyDisabled);
  const kind = props.isIconOnly ? 'jp-Flows-iconButton' : 'jp-Flows-actionButton';
  return (
    <button
      type="button"
      className={`${kind} ${props.className ?? ''}`}
      aria-disabled={isDisabled}
      aria-label={props.isIconOnly ? props.label : undefined}
      title={props.whyDisabled ?? props.caption ?? props.label}
      onClick={event => {
        event.stopPropagation();
        if (!isDisabled) {
          props.run();
        }
      }}
      onDoubleClick={event => event.stopPropagation()}
    >
      <props.icon.react tag={null} />
      {!props.isIconOnly && <span>{props.label}</span>}
    </button>
  );
}
