import * as React from 'react';

import { useShell } from './shell';

/** A box to filter a list by words; Escape empties it. */
export function FilterBox(props: {
  value: string;
  label: string;
  onChange: (text: string) => void;
}): React.ReactElement {
  const { trans } = useShell();
  return (
    <div className="jp-Flows-filter">
      <input
        type="search"
        className="jp-mod-styled"
        aria-label={props.label}
        placeholder={trans.__('Filter')}
        value={props.value}
        onChange={event => props.onChange(event.target.value)}
        onKeyDown={event => {
          if (event.key === 'Escape') {
            props.onChange('');
          }
        }}
      />
    </div>
  );
}
