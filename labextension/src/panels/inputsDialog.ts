/**
 * Asks for the inputs of a flow: one field for each parameter, filled with its default.
 *
 * A default that is a text gives a field for text, taken as it is typed; a Boolean gives a check box; all others
 * take JSON. Written without React: the dialog looks for invalid fields while an `input` event is captured,
 * before any handler of ours, so a field that changes between valid and invalid has to tell it again.
 */
import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import type { IFlowView, Json } from '../api';

type Inputs = Record<string, Json>;

/** The inputs, or null if the person changed their mind. */
export async function askForInputs(flow: IFlowView, trans: TranslationBundle): Promise<Inputs | null> {
  const result = await showDialog<Inputs>({
    title: trans.__('Run %1', flow.name),
    body: new InputsBody(flow.parameters, trans),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.okButton({ label: trans.__('Run'), caption: trans.__('Run %1 with these inputs', flow.name) })
    ],
    focusNodeSelector: 'input, textarea'
  });
  return result.button.accept ? result.value : null;
}

interface IField {
  readonly node: HTMLElement;
  /** Merges what was given into `inputs`. */
  read(inputs: Inputs): unknown;
}

class InputsBody extends Widget implements Dialog.IBodyWidget<Inputs> {
  constructor(parameters: Inputs, trans: TranslationBundle) {
    super();
    this.addClass('jp-Flows-inputs');
    this._fields = Object.entries(parameters).map(([name, value]) => parameterField(name, value, trans));
    this._fields.push(furtherField(trans));
    this.node.append(...this._fields.map(field => field.node));
  }

  getValue(): Inputs {
    const inputs: Inputs = {};
    this._fields.forEach(field => field.read(inputs));
    return inputs;
  }

  private _fields: IField[];
}

function parameterField(name: string, value: Json, trans: TranslationBundle): IField {
  if (typeof value === 'boolean') {
    const box = document.createElement('input');
    box.type = 'checkbox';
    box.checked = value;
    return { node: labelled(name, box), read: inputs => Object.assign(inputs, { [name]: box.checked }) };
  }
  if (typeof value === 'string') {
    const area = textArea(value);
    return { node: labelled(name, area), read: inputs => Object.assign(inputs, { [name]: area.value }) };
  }
  const area = textArea(JSON.stringify(value, null, 2));
  validate(
    area,
    text => {
      JSON.parse(text);
    },
    trans
  );
  return {
    node: labelled(name, area),
    read: inputs => Object.assign(inputs, { [name]: JSON.parse(area.value) as Json })
  };
}

function furtherField(trans: TranslationBundle): IField {
  const area = textArea('');
  area.placeholder = '{"name": "value"}';
  validate(
    area,
    text => {
      if (text.trim()) {
        asObject(text, trans);
      }
    },
    trans
  );
  return {
    node: labelled(trans.__('Further inputs (a JSON object)'), area),
    read: inputs => area.value.trim() && Object.assign(inputs, asObject(area.value, trans))
  };
}

function asObject(text: string, trans: TranslationBundle): Inputs {
  const value = JSON.parse(text) as Json;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(trans.__('not a JSON object'));
  }
  return value;
}

function textArea(text: string): HTMLTextAreaElement {
  const area = document.createElement('textarea');
  area.value = text;
  area.rows = Math.min(8, text.split('\n').length);
  area.spellcheck = false;
  area.className = 'jp-mod-styled';
  return area;
}

function labelled(name: string, control: HTMLElement): HTMLElement {
  const label = document.createElement('label');
  label.className = 'jp-Flows-field';
  label.dataset.input = name;
  const text = document.createElement('span');
  text.textContent = name;
  label.append(text, control);
  return label;
}

function validate(area: HTMLTextAreaElement, parse: (text: string) => void, trans: TranslationBundle): void {
  const why = document.createElement('span');
  why.className = 'jp-Flows-fieldError';
  why.setAttribute('role', 'alert');
  area.addEventListener('input', () => {
    const before = area.validationMessage;
    let after = '';
    try {
      parse(area.value);
    } catch (error) {
      after = trans.__('This is no JSON: %1', error instanceof Error ? error.message : String(error));
    }
    if (after !== before) {
      area.setCustomValidity(after);
      area.setAttribute('aria-invalid', String(after !== ''));
      why.textContent = after;
      area.after(why);
      area.dispatchEvent(new Event('input', { bubbles: true }));
    }
  });
}
