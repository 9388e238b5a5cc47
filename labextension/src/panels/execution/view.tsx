import * as React from 'react';

import type { ExecutionModel } from '../../model/execution';
import type { Live } from '../../model/live';
import { CommandIDs } from '../../tokens';
import { EmptyState, Failure, FailureBar, Loading } from '../empty';
import { LiveWidget } from '../liveWidget';
import type { IShell } from '../shell';
import { useShell, useSignal } from '../shell';
import { Header } from './header';
import { Tabs } from './tabs';

/** All of one execution, in the main area. */
export class ExecutionPanel extends LiveWidget {
  constructor(
    shell: IShell,
    live: Live,
    readonly model: ExecutionModel
  ) {
    super(shell, live, model);
    this.addClass('jp-Flows-execution');
    this.node.dataset.executionId = model.id;
    model.changed.connect(this._onChanged, this);
    this._onChanged();
  }

  override dispose(): void {
    this.model.changed.disconnect(this._onChanged, this);
    super.dispose();
  }

  protected body(): React.ReactElement {
    return <ExecutionView model={this.model} />;
  }

  private _onChanged(): void {
    const execution = this.model.execution.value;
    if (execution) {
      this.node.dataset.status = execution.status;
    }
  }
}

function ExecutionView(props: { model: ExecutionModel }): React.ReactElement {
  const { model } = props;
  const { trans, commands } = useShell();
  useSignal(model.changed);
  const { value, error } = model.execution;
  if (value === null) {
    if (error?.type === 'ResourceNotFoundError') {
      return (
        <EmptyState title={trans.__('This execution is not there any more.')}>{error.message}</EmptyState>
      );
    }
    const retry = (): void => void commands.execute(CommandIDs.refresh);
    return error ? <Failure error={error} retry={retry} /> : <Loading />;
  }
  return (
    <>
      {error && <FailureBar error={error} />}
      <Header execution={value} />
      <Tabs model={model} execution={value} />
    </>
  );
}
