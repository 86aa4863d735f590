# Menschen, Rollen, Protokoll, Einstellungen, Zustand
