/* The part of the page that is fetched when rooms are first looked at. */
export { PeopleList } from './PeopleList.tsx';
export { RoomList } from './RoomList.tsx';
export { RoomPage } from './RoomPage.tsx';
