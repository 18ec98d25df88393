"""The page: people see the table, look at crops, label them and acknowledge alarms in a browser."""
