import './controls.css';
import './panel.css';
import './execution.css';
import './dialogs.css';
