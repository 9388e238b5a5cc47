/**
 * A tree of which only the visible rows are in the document, so that hundreds cost what a screenful does.
 *
 * The focus stays on the container, and the active row is told by `aria-activedescendant`: a row that is scrolled
 * out of the document cannot hold the focus. Rows may differ in height, but each knows its own beforehand.
 */
import * as React from 'react';

export interface ITreeItem {
  readonly key: string;
  /** In pixels. */
  readonly height: number;
  readonly level: number;
  readonly position: number;
  readonly size: number;
  /** undefined: it has nothing below it. */
  readonly isExpanded?: boolean;
  /** What selectors of context menus and tests see: `data-…` attributes. */
  readonly data: Record<string, string>;
  /** What a screen reader says. */
  readonly label: string;
}

export interface IWindowedTreeProps<T extends ITreeItem> {
  items: readonly T[];
  label: string;
  active: string | null;
  setActive: (key: string) => void;
  /** Enter or a double click. */
  open: (item: T) => void;
  /** Another key; true: it was used. */
  onKey: (key: React.KeyboardEvent, active: T | undefined) => boolean;
  render: (item: T, isActive: boolean) => React.ReactNode;
  /** Below the last row. */
  footer?: React.ReactNode;
}

const OVERSCAN = 200;

export function WindowedTree<T extends ITreeItem>(props: IWindowedTreeProps<T>): React.ReactElement {
  const { items, active } = props;
  const id = React.useId();
  const { scroller, top, height, onScroll } = useViewport();
  const offsets = React.useMemo(() => offsetsOf(items), [items]);
  const total = offsets[items.length];
  const activeIndex = items.findIndex(item => item.key === active);
  const shown = items
    .map((item, index) => ({ item, index }))
    .filter(
      ({ index }) =>
        index === activeIndex ||
        (offsets[index + 1] > top - OVERSCAN && offsets[index] < top + height + OVERSCAN)
    );

  const reveal = (index: number): void => {
    const node = scroller.current;
    if (node && index >= 0) {
      const end = offsets[index + 1] - node.clientHeight;
      node.scrollTop = Math.max(end, Math.min(node.scrollTop, offsets[index]));
    }
  };
  const wasActive = React.useRef(active);
  React.useEffect(() => {
    if (wasActive.current !== active) {
      wasActive.current = active;
      reveal(activeIndex);
    }
  });

  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (event.target !== event.currentTarget) {
      return; // of a button within a row
    }
    const item = activeIndex < 0 ? undefined : items[activeIndex];
    if (event.key === 'Enter' && item && !event.shiftKey) {
      props.open(item);
    } else if (!props.onKey(event, item)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  // The context-menu key asks at the container; the menu belongs to the active row.
  const onContextMenu = (event: React.MouseEvent): void => {
    const row = activeIndex < 0 ? null : document.getElementById(`${id}${items[activeIndex].key}`);
    if (row && event.target === event.currentTarget && event.button !== 2) {
      event.preventDefault();
      event.stopPropagation();
      const { left, bottom } = row.getBoundingClientRect();
      row.dispatchEvent(
        new MouseEvent('contextmenu', { bubbles: true, clientX: left + 24, clientY: bottom - 4 })
      );
    }
  };

  return (
    <div ref={scroller} className="jp-Flows-scroller" onScroll={onScroll}>
      <div
        className="jp-Flows-tree"
        role="tree"
        aria-label={props.label}
        aria-activedescendant={activeIndex < 0 ? undefined : `${id}${items[activeIndex].key}`}
        tabIndex={0}
        style={{ height: total }}
        onKeyDown={onKeyDown}
        onContextMenu={onContextMenu}
        onFocus={event => {
          if (event.target === event.currentTarget && activeIndex < 0 && items.length > 0) {
            props.setActive(items[0].key);
          }
        }}
      >
        {shown.map(({ item, index }) => (
          <div
            key={item.key}
            id={`${id}${item.key}`}
            className={`jp-Flows-row${index === activeIndex ? ' jp-mod-active' : ''}`}
            role="treeitem"
            aria-label={item.label}
            aria-level={item.level}
            aria-posinset={item.position}
            aria-setsize={item.size}
            aria-expanded={item.isExpanded}
            aria-selected={index === activeIndex}
            style={{ top: offsets[index], height: item.height }}
            onMouseDown={() => props.setActive(item.key)}
            onDoubleClick={() => props.open(item)}
            {...item.data}
          >
            {props.render(item, index === activeIndex)}
          </div>
        ))}
      </div>
      {props.footer}
    </div>
  );
}

/** Which of `keys` an arrow, Home or End leads to in a list without levels; null: none of these. */
export function listMove(keys: readonly string[], active: string | null, key: string): string | null {
  const at = active === null ? -1 : keys.indexOf(active);
  const to = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    PageDown: at + 10,
    PageUp: at - 10,
    Home: 0,
    End: Infinity
  }[key];
  return to === undefined || keys.length === 0 ? null : keys[Math.max(0, Math.min(keys.length - 1, to))];
}

function offsetsOf(items: readonly ITreeItem[]): number[] {
  const offsets = [0];
  items.forEach((item, index) => offsets.push(offsets[index] + item.height));
  return offsets;
}

interface IViewport {
  scroller: React.RefObject<HTMLDivElement>;
  top: number;
  height: number;
  onScroll: () => void;
}

function useViewport(): IViewport {
  const scroller = React.useRef<HTMLDivElement>(null);
  const [viewport, setViewport] = React.useState({ top: 0, height: 0 });
  const measure = React.useCallback(() => {
    const node = scroller.current;
    if (node) {
      setViewport({ top: node.scrollTop, height: node.clientHeight });
    }
  }, []);
  React.useLayoutEffect(() => {
    const node = scroller.current;
    if (!node) {
      return;
    }
    const observer = new ResizeObserver(measure);
    observer.observe(node);
    measure();
    return () => observer.disconnect();
  }, [measure]);
  return { scroller, ...viewport, onScroll: measure };
}
