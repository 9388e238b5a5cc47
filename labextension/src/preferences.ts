import type { ISettingRegistry } from '@jupyterlab/settingregistry';

import type { IPreferences } from './commands/context';
import type { Live } from './model/live';
import { PLUGIN_ID } from './tokens';

/** The user's settings; the schema's defaults until they are loaded. */
export class Preferences implements IPreferences {
  constructor(registry: ISettingRegistry | null, live: Live) {
    registry?.load(PLUGIN_ID).then(
      settings => {
        const update = (): void => {
          this._settings = settings;
          live.interval = 1000 * (settings.get('refreshInterval').composite as number);
        };
        settings.changed.connect(update);
        update();
      },
      (error: unknown) => console.error(`the settings of ${PLUGIN_ID} cannot be read`, error)
    );
  }

  get confirmRestore(): boolean {
    return this._isOn('confirmRestore');
  }

  get openOnRun(): boolean {
    return this._isOn('openOnRun');
  }

  async neverAskBeforeRestore(): Promise<void> {
    await this._settings?.set('confirmRestore', false);
  }

  private _isOn(key: string): boolean {
    return this._settings?.get(key).composite !== false;
  }

  private _settings: ISettingRegistry.ISettings | null = null;
}
