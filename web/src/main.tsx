import { render } from 'preact';
import './styles/base.css';
import './styles/parts.css';
import './styles/list.css';
import './styles/session.css';
import './styles/views.css';
import './styles/rooms.css';
import { App } from './views/App.tsx';

render(<App />, document.getElementById('page')!);
