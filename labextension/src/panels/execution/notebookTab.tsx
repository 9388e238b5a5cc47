import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import type { IExecutionView, Json } from '../../api';
import type { ExecutionModel } from '../../model/execution';
import { EmptyState } from '../empty';
import { useShell } from '../shell';
import { Fetched } from './fetched';

/** The executed notebook: source and outputs, to read. */
export function NotebookTab(props: { model: ExecutionModel; execution: IExecutionView }): React.ReactElement {
  const { trans } = useShell();
  if (props.execution.type === 'CONNECTION') {
    return <EmptyState title={trans.__('A connection has no notebook.')} />;
  }
  return (
    <Fetched fetched={props.model.notebook}>
      {notebook => {
        const cells = cellsOf(notebook);
        return cells.length === 0 ? (
          <NoCells execution={props.execution} />
        ) : (
          <div className="jp-Flows-notebook">
            {cells.map((cell, index) => (
              <CellView key={index} cell={cell} />
            ))}
          </div>
        );
      }}
    </Fetched>
  );
}

function NoCells(props: { execution: IExecutionView }): React.ReactElement {
  const { trans, commands } = useShell();
  const { flow, type } = props.execution;
  if (type !== 'NOTEBOOK' || flow === null) {
    return <EmptyState title={trans.__('No cells.')} />;
  }
  const path = `${flow}.ipynb`;
  const open = (): void => void commands.execute('docmanager:open', { path });
  return (
    <EmptyState
      title={trans.__('This execution is the kernel of a notebook.')}
      action={{ label: trans.__('Open the Notebook'), run: open }}
    >
      {trans.__('Its cells and outputs are in the notebook itself: %1', path)}
    </EmptyState>
  );
}

interface ICell {
  kind: string;
  source: string;
  count: number | null;
  outputs: Record<string, Json>[];
}

const CellView = React.memo(
  function CellView(props: { cell: ICell }): React.ReactElement {
    const { cell } = props;
    if (cell.kind !== 'code') {
      const source =
        cell.kind === 'markdown' ? { 'text/markdown': cell.source } : { 'text/plain': cell.source };
      return (
        <div className="jp-Flows-cell" data-kind={cell.kind}>
          <span className="jp-Flows-prompt" />
          <Rendered data={source} />
        </div>
      );
    }
    return (
      <>
        <div className="jp-Flows-cell" data-kind="code">
          <span className="jp-Flows-prompt">[{cell.count ?? ' '}]:</span>
          <div className="jp-Flows-source">
            <Rendered data={{ 'text/markdown': fenced(cell.source) }} />
          </div>
        </div>
        {cell.outputs.map((output, index) => (
          <div key={index} className="jp-Flows-cell" data-kind="output">
            <span className="jp-Flows-prompt" />
            <Rendered data={bundleOf(output)} />
          </div>
        ))}
      </>
    );
  },
  (before, after) => JSON.stringify(before.cell) === JSON.stringify(after.cell)
);

/** One MIME bundle, rendered as everywhere else in the application; not trusted, so no script of it runs. */
function Rendered(props: { data: ReadonlyPartialJSONObject }): React.ReactElement {
  const { rendermime } = useShell();
  const host = React.useRef<HTMLDivElement>(null);
  const text = JSON.stringify(props.data);
  React.useLayoutEffect(() => {
    const node = host.current;
    if (!node) {
      return;
    }
    const widget = render(JSON.parse(text) as ReadonlyPartialJSONObject, rendermime);
    if (widget) {
      Widget.attach(widget, node);
    }
    return () => widget?.dispose();
  }, [text, rendermime]);
  return <div ref={host} className="jp-Flows-rendered" />;
}

function render(data: ReadonlyPartialJSONObject, rendermime: IRenderMimeRegistry): Widget | null {
  const mimeType = rendermime.preferredMimeType(data, 'ensure');
  if (mimeType === undefined) {
    return null;
  }
  const renderer = rendermime.createRenderer(mimeType);
  renderer.renderModel(rendermime.createModel({ data })).catch((error: unknown) => {
    renderer.node.textContent = String(error);
  });
  return renderer;
}

function cellsOf(notebook: Record<string, Json>): ICell[] {
  const cells = Array.isArray(notebook.cells) ? (notebook.cells as Record<string, Json>[]) : [];
  return cells.map(cell => ({
    kind: asText(cell.cell_type),
    source: joined(cell.source),
    count: typeof cell.execution_count === 'number' ? cell.execution_count : null,
    outputs: Array.isArray(cell.outputs) ? (cell.outputs as Record<string, Json>[]) : []
  }));
}

// The four kinds of output of nbformat 4 as one MIME bundle.
function bundleOf(output: Record<string, Json>): ReadonlyPartialJSONObject {
  switch (output.output_type) {
    case 'stream':
      return { [`application/vnd.jupyter.${asText(output.name)}`]: joined(output.text) };
    case 'error': {
      const traceback = joined(output.traceback, '\n');
      const summary = `${asText(output.ename)}: ${asText(output.evalue)}`;
      return { 'application/vnd.jupyter.stderr': traceback || summary };
    }
    default: {
      const data = (output.data ?? {}) as Record<string, Json>;
      return Object.fromEntries(
        Object.entries(data).map(([type, value]) => [type, isTextList(value) ? joined(value) : value])
      );
    }
  }
}

function isTextList(value: Json): boolean {
  return Array.isArray(value) && value.every(line => typeof line === 'string');
}

function joined(text: Json | undefined, separator = ''): string {
  return Array.isArray(text) ? text.map(asText).join(separator) : asText(text);
}

function asText(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

// A fence longer than any run of backticks within.
function fenced(source: string): string {
  const longest = Math.max(2, ...(source.match(/`+/g) ?? []).map(run => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}python\n${source}\n${fence}`;
}
